// Tunes out of the page: downloads, drags into other programs, the session as a file.

import * as api from "./api.js";

const prepared = new Map(); // JSON of a melody -> data address of its MIDI file, for drags
const MAX_PREPARED = 200;

export const fileName = (name) => name.replace(/[^\p{L}\p{N} _-]+/gu, "-").trim() || "tune";

export function download(blob, name) {
  const link = Object.assign(document.createElement("a"), { href: URL.createObjectURL(blob), download: name });
  link.click();
  setTimeout(() => URL.revokeObjectURL(link.href), 10_000);
}

export async function saveMidi(melodies, name) {
  download(await api.midi(melodies), `${fileName(name)}.mid`);
}

export async function saveZip(melodies, names, name) {
  download(await api.zip(melodies, names), `${fileName(name)}.zip`);
}

function asAddress(blob) {
  return new Promise((resolve) => {
    const reader = new FileReader();
    reader.onload = () => resolve(reader.result);
    reader.readAsDataURL(blob);
  });
}

async function prepare(melody) {
  const key = JSON.stringify(melody);
  if (prepared.has(key)) return;
  if (prepared.size > MAX_PREPARED) prepared.clear();
  prepared.set(key, "");
  try {
    prepared.set(key, await asAddress(new Blob([await api.midi([melody])], { type: "audio/midi" })));
  } catch {
    prepared.delete(key); // a drag then carries the tune within the page only
  }
}

export const TUNE_TYPE = "application/x-melodyvae-tune";

/** Let a node be dragged: onto the shelf as a tune, into other programs as a MIDI file (in browsers that can). */
export function offerDrag(node, tune) {
  const ready = () => {
    const { melody } = tune();
    if (melody) prepare(melody);
  };
  node.addEventListener("pointerenter", ready);
  node.addEventListener("pointerdown", ready);
  node.addEventListener("dragstart", (event) => {
    const { name, melody, colour } = tune();
    if (!melody) return event.preventDefault();
    event.dataTransfer.effectAllowed = "copy";
    event.dataTransfer.setData(TUNE_TYPE, JSON.stringify({ name, melody, colour }));
    const address = prepared.get(JSON.stringify(melody));
    if (address) event.dataTransfer.setData("DownloadURL", `audio/midi:${fileName(name)}.mid:${address}`);
  });
}
