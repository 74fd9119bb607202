// What the page knows: tunes, what is chosen, and every change of them, so that it can be undone and brought back.

import * as api from "./api.js";

const MAX_UNDO = 100;
const SAVE_MILLISECONDS = 400;
const UNDONE = ["tunes", "slots", "selected"];

export const doc = {
  tunes: [],
  slots: { a: null, b: null, corners: [null, null, null, null] },
  selected: null,
  mode: "walk",
  // What is not said otherwise is as in the commands: all in the key and the tempo of the first, in the tunes' scale.
  walk: { count: 8, key: "a", tempo: "a", tonic: "", scale: "major", spacing: "even", ends: "exact", bars: 0, band: false },
  pad: { x: 0.5, y: 0.5, key: "a", tempo: "a" },
  shape: { amounts: {}, tonic: "", scale: "major", vary: 0.45, seed: 0 },
  draw: { hidden: [], doubts: false, more: 2 },
  fresh: { count: 8, bars: 8, meter: "", style: "", form: "auto", tonic: "", scale: "major", density: 0, temperature: 1, tempo: 120, seed: 0 },
  sound: { instrument: 0, volume: 0.8, loop: true, metronome: false, tempo: 0, source: "soundfont" },
  theme: "auto",
};

/** Bytes of the files that were dropped, by tune, in base64. */
export const files = new Map();

let past = [];
let future = [];
const watchers = new Set();
let session = "";
let timer = 0;

const snapshot = () => JSON.stringify(Object.fromEntries(UNDONE.map((key) => [key, doc[key]])));

/** Change what is told apart by undo, in one step. */
export function change(edit) {
  const before = snapshot();
  edit(doc);
  if (snapshot() === before) return;
  past.push(before);
  if (past.length > MAX_UNDO) past.shift();
  future = [];
  changed();
}

/** Change a setting: kept and shown, but not undone. */
export function set(edit) {
  edit(doc);
  changed();
}

export const canUndo = () => past.length > 0;
export const canRedo = () => future.length > 0;
export const undo = () => step(past, future);
export const redo = () => step(future, past);

function step(from, to) {
  if (!from.length) return;
  to.push(snapshot());
  Object.assign(doc, JSON.parse(from.pop()));
  changed();
}

export function watch(watcher) {
  watchers.add(watcher);
}

export function changed() {
  for (const watcher of watchers) watcher();
  clearTimeout(timer);
  timer = setTimeout(save, SAVE_MILLISECONDS);
}

export const tuneOf = (id) => doc.tunes.find((tune) => tune.id === id) ?? null;

export function newTune(name, melody, more = {}) {
  const used = doc.tunes.map((tune) => tune.colour);
  const free = [...Array(8).keys()].find((colour) => !used.includes(colour));
  const colour = free ?? doc.tunes.length % 8;
  return { id: crypto.randomUUID(), name: freeName(name), colour, melody, source: null, ...more };
}

function freeName(name) {
  const taken = new Set(doc.tunes.map((tune) => tune.name));
  if (!taken.has(name)) return name;
  let number = 2;
  while (taken.has(`${name} ${number}`)) number += 1;
  return `${name} ${number}`;
}

/** The tunes at both ends of the walk and at the corners of the pad: those that were chosen, or the first there are. */
export function slots() {
  const ids = doc.tunes.map((tune) => tune.id);
  const keep = (id, fallback) => (ids.includes(id) ? id : (ids[fallback % Math.max(ids.length, 1)] ?? null));
  // With two tunes the diagonals are equal; with three the first comes twice.
  const corners = ids.length === 2 ? [0, 1, 1, 0] : [0, 1, 2, 3];
  return {
    a: keep(doc.slots.a, 0),
    b: keep(doc.slots.b, 1),
    corners: doc.slots.corners.map((id, corner) => keep(id, corners[corner])),
  };
}

/** The tune that is shaped and drawn. */
export const selected = () => tuneOf(doc.selected) ?? doc.tunes[0] ?? null;

export const serialise = () => ({ format: "melodyvae-studio", version: 1, doc, files: Object.fromEntries(files) });

/** Take over a session; what is missing in it stays as it is. */
export function restore(saved) {
  if (saved?.format !== "melodyvae-studio" || !Array.isArray(saved.doc?.tunes)) {
    throw new Error("this is no session of the studio");
  }
  for (const tune of saved.doc.tunes) {
    if (!Array.isArray(tune?.melody?.notes) || typeof tune.name !== "string") {
      throw new Error("this session is damaged: a tune in it has no notes");
    }
  }
  for (const [key, value] of Object.entries(saved.doc)) {
    if (!(key in doc)) continue;
    const isPlain = value && typeof value === "object" && !Array.isArray(value);
    doc[key] = isPlain ? { ...doc[key], ...value } : value;
  }
  files.clear();
  for (const [id, data] of Object.entries(saved.files ?? {})) files.set(id, data);
  past = [];
  future = [];
  changed();
}

/** The session in the page's address, if the server still keeps it. */
export async function open() {
  const found = /session=([0-9a-f]{32})/.exec(location.hash);
  session = found ? found[1] : crypto.randomUUID().replaceAll("-", "");
  if (!found) {
    history.replaceState(null, "", `${location.pathname}${location.search}#session=${session}`);
    return false;
  }
  const saved = await api.loadSession(session);
  if (saved) restore(saved);
  return Boolean(saved);
}

export async function save() {
  clearTimeout(timer);
  try {
    await api.saveSession(session, serialise());
  } catch (error) {
    console.info(`The session was not saved: ${error.message}`);
  }
}
