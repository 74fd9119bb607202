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

/** `backings` are the parts that play with each melody, if any. */
export async function saveMidi(melodies, name, backings) {
  download(await api.midi(melodies, backings), `${fileName(name)}.mid`);
}

export async function saveZip(tunes, name) {
  const [melodies, names, backings] = ["melody", "name", "backing"].map((field) => tunes.map((tune) => tune[field]));
  download(await api.zip(melodies, names, backings), `${fileName(name)}.zip`);
}

function asAddress(blob) {
  return new Promise((resolve) => {
    const reader = new FileReader();
    reader.onload = () => resolve(reader.result);
    reader.readAsDataURL(blob);
  });
}

async function prepare(melody, backing) {
  const key = JSON.stringify([melody, backing]);
  if (prepared.has(key)) return;
  if (prepared.size > MAX_PREPARED) prepared.clear();
  prepared.set(key, "");
  try {
    prepared.set(key, await asAddress(new Blob([await api.midi([melody], [backing])], { type: "audio/midi" })));
  } catch {
    prepared.delete(key); // a drag then carries the tune within the page only
  }
}

export const TUNE_TYPE = "application/x-melodyvae-tune";

/** Let a node be dragged: onto the shelf as a tune, into other programs as a MIDI file (in browsers that can). */
export function offerDrag(node, tune) {
  const ready = () => {
    const { melody, backing } = tune();
    if (melody) prepare(melody, backing);
  };
  node.addEventListener("pointerenter", ready);
  node.addEventListener("pointerdown", ready);
  node.addEventListener("dragstart", (event) => {
    const { name, melody, backing, colour } = tune();
    if (!melody) return event.preventDefault();
    event.dataTransfer.effectAllowed = "copy";
    event.dataTransfer.setData(TUNE_TYPE, JSON.stringify({ name, melody, backing, colour }));
    const address = prepared.get(JSON.stringify([melody, backing]));
    if (address) event.dataTransfer.setData("DownloadURL", `audio/midi:${fileName(name)}.mid:${address}`);
  });
}
