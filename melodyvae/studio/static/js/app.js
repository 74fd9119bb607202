// What all ways of playing share: the model, the player, messages, progress, and lanes that show and play a tune.

import * as api from "./api.js";
import { Player } from "./player.js";
import { Roll, describe, tuneColour } from "./roll.js";
import { change, doc, files, newTune, tuneOf } from "./store.js";
import { fileName, offerDrag, saveMidi } from "./take.js";

export const element = (id) => document.getElementById(id);

/** The model, once the server has it: bars, attributes, scales and so on. */
export const model = {};

export const player = new Player(() => doc.sound);

const MESSAGE_MILLISECONDS = 7000;

export function say(sentence, { bad = false } = {}) {
  const toast = Object.assign(document.createElement("div"), { className: bad ? "toast bad" : "toast" });
  const text = document.createElement("span");
  text.textContent = sentence;
  const close = Object.assign(document.createElement("button"), { className: "button tiny", textContent: "OK" });
  close.onclick = () => toast.remove();
  toast.append(text, close);
  element("toasts").append(toast);
  setTimeout(() => toast.remove(), bad ? 2 * MESSAGE_MILLISECONDS : MESSAGE_MILLISECONDS);
}

export const complain = (error) => {
  if (!(error instanceof api.Stale)) say(error.message, { bad: true });
};

// Work for the model: one of each verb at a time, with its progress and a way to stop it

const running = new Map();
const SHOWN_AFTER_MILLISECONDS = 350;

function showWork() {
  const latest = [...running.values()].filter((work) => work.visible).at(-1);
  element("work").hidden = !latest;
  if (!latest) return;
  element("work-said").textContent = latest.said;
  const bar = element("work-share");
  if (latest.share === null || latest.share === undefined) bar.removeAttribute("value");
  else bar.value = latest.share;
  element("work-cancel").onclick = () => latest.stop.abort();
}

/** The result of a verb; a newer one of the same verb cancels it. Null if it was cancelled or failed (which is said). */
export async function work(verb, said, request, names) {
  running.get(verb)?.stop.abort();
  const own = { said, share: null, visible: false, stop: new AbortController() };
  running.set(verb, own);
  const timer = setTimeout(() => {
    own.visible = true;
    showWork();
  }, SHOWN_AFTER_MILLISECONDS);
  const ask = () =>
    api.perform(verb, request, {
      names,
      signal: own.stop.signal,
      onProgress: (share) => {
        own.share = share;
        showWork();
      },
    });
  try {
    try {
      return await ask();
    } catch (error) {
      if (!(error instanceof api.Missing) || !(await sendAgain())) throw error;
      return await ask();
    }
  } catch (error) {
    complain(error);
    return null;
  } finally {
    clearTimeout(timer);
    if (running.get(verb) === own) running.delete(verb);
    showWork();
  }
}

/** Give the server the files that the page keeps; it forgets the oldest, and all when it is started anew. */
async function sendAgain() {
  for (const [id, text] of files) {
    const tune = tuneOf(id);
    if (tune?.source) await api.read({ file: tune.source.file, bytes: fromBase64(text) }, { track: tune.source.track });
  }
  return files.size > 0;
}

export const fromBase64 = (text) => Uint8Array.from(atob(text), (letter) => letter.charCodeAt(0)).buffer;

/** The shell command that does what is on the screen. */
export function showCommand(mode, command) {
  commands[mode] = command ?? "";
  refreshCommand();
}
const commands = {};
export function refreshCommand() {
  const line = commands[doc.mode] ?? "";
  element("shell").hidden = !line;
  element("shell-line").textContent = line;
}

/** Steps in a bar of a melody. */
export const barSteps = (melody) => (4 * melody.meter[0] * melody.steps_per_quarter) / melody.meter[1];

/** Bars of a melody. */
export const barsOf = (melody) => Math.ceil(melody.length_steps / barSteps(melody));

/** A tune as requests take it: the bars of its file, so that its key is that of the piece; or what the page shows. */
export function sourceOf(tune) {
  const { source } = tune;
  if (!source?.reference || source.edited) return { melody: tune.melody };
  return { file: source.reference, first_bar: source.first_bar, track: source.tracks?.length > 1 ? source.track : null };
}

/** The same for commands that take one first bar for all tunes: none is named where it is the one that is found. */
export function foundSourceOf(tune) {
  return tune.source?.found && sourceOf(tune).file ? { file: tune.source.reference } : sourceOf(tune);
}

/** The name of a tune's file in commands: that of its source, or the one under which it is downloaded. */
export const named = (tune) => (sourceOf(tune).file ? tune.source.file : downloaded(tune));

/** The name under which a tune is downloaded; for commands that take whole files. */
export const downloaded = (tune) => `${fileName(tune.name)}.mid`;

// Lanes

let shown = [];

/** A lane: a tune's roll that plays when it is clicked, is kept, downloaded or dragged out. */
export class Lane {
  constructor(parent) {
    const node = element("lane-template").content.firstElementChild.cloneNode(true);
    parent.append(node);
    this.node = node;
    this.button = node.querySelector(".lane-play");
    this.roll = new Roll(node.querySelector("canvas"));
    this.label = node.querySelector(".lane-label");
    this.button.onclick = () => this.play();
    node.querySelector(".lane-keep").onclick = () => this.keep();
    node.querySelector(".lane-save").onclick = () => saveMidi([this.melody], this.name, [this.backing]).catch(complain);
    offerDrag(node, () => ({ name: this.name, melody: this.melody, backing: this.backing, colour: this.colourIndex }));
    shown = shown.filter((lane) => lane.node.isConnected);
    shown.push(this);
  }

  /** `name` is also the file's; `backing` plays with it; `queue()` is what is played from here on, this lane at `index`. */
  show({ melody, name, label, colour, colourIndex, range, queue, index = 0, key, backing = null, ...roll }) {
    Object.assign(this, { melody, name, colourIndex, queue, index, key, backing });
    this.colour = colour ?? tuneColour(colourIndex ?? 0);
    this.node.style.setProperty("--colour", this.colour);
    this.node.dataset.key = key;
    this.label.replaceChildren(Object.assign(document.createElement("span"), { textContent: label ?? "" }));
    const spoken = `${label && label !== name ? `${label}, ` : ""}${name}, ${describe(melody)}`;
    this.button.setAttribute("aria-label", `Play ${spoken}`);
    this.node.querySelector(".lane-keep").setAttribute("aria-label", `Keep ${name} on the shelf`);
    this.node.querySelector(".lane-keep").title = "Keep on the shelf (K)";
    this.node.querySelector(".lane-save").setAttribute("aria-label", `Download ${name} as MIDI`);
    this.node.querySelector(".lane-save").title = "Download, or drag the tune out";
    this.roll.options = { melody, range, colour: this.colour, ...roll };
    this.roll.paint();
  }

  play() {
    const heard = player.current;
    if (player.playing && heard?.key === this.key && player.one) return player.stop();
    player.play(this.queue?.() ?? [this.item()], { index: this.index, one: true });
  }

  /** Colours are other ones in another theme. */
  recolour() {
    if (this.colourIndex === undefined) return; // mixed by whoever shows it
    this.colour = tuneColour(this.colourIndex);
    this.node.style.setProperty("--colour", this.colour);
    this.roll.set({ colour: this.colour });
  }

  item() {
    const lane = this;
    return {
      get melody() {
        return lane.melody;
      },
      get backing() {
        return lane.backing;
      },
      get colour() {
        return lane.colour;
      },
      key: this.key,
      name: this.name,
    };
  }

  keep() {
    keep(this.name, this.melody, this.backing);
  }
}

/** Put a tune on the shelf. */
export function keep(name, melody, backing = null) {
  const tune = newTune(name, structuredClone(melody), backing ? { backing: structuredClone(backing) } : {});
  change((now) => now.tunes.push(tune));
  say(`"${tune.name}" is on the shelf.`);
  return tune;
}

/** Lanes in `parent`, as many as there are tunes; they are made once and shown anew. */
export function showLanes(parent, lanes, tunes) {
  while (lanes.length > tunes.length) lanes.pop().node.remove();
  while (lanes.length < tunes.length) lanes.push(new Lane(parent));
  const queue = () => lanes.map((lane) => lane.item());
  lanes.forEach((lane, index) => lane.show({ queue, index, ...tunes[index] }));
}

/** Draw the playheads, called for every frame. */
export function paintPlayheads() {
  const heard = player.playing || player.history.length ? player.heard() : null;
  for (const lane of shown) {
    if (!lane.node.isConnected) continue;
    const plays = heard && lane.key !== undefined && heard.item?.key === lane.key;
    if (plays) {
      lane.roll.options.playStep = lane.roll.options.playAt = heard.step;
      lane.roll.paint();
      lane.wasPlaying = true;
      lane.node.classList.add("playing");
    } else if (lane.wasPlaying) {
      lane.roll.options.playStep = lane.roll.options.playAt = undefined;
      lane.wasPlaying = false;
      lane.node.classList.remove("playing");
      lane.roll.paint();
    }
  }
  return heard;
}

/** The lane that plays, or was played last, if any. */
export const currentLane = () => player.current && shown.find((lane) => lane.node.isConnected && lane.key === player.current?.key);

export const recolourLanes = () => shown.forEach((lane) => lane.recolour());

/** Lanes on the screen, for the arrow keys. */
export const visibleLanes = () => shown.filter((lane) => lane.node.isConnected && lane.node.offsetParent);

// Choices of tunes and scales

/** Fill a select with the shelf; its edge has the tune's colour. */
export function fillTunes(select, chosen) {
  const options = doc.tunes.map((tune) => new Option(tune.name, tune.id, false, tune.id === chosen));
  select.replaceChildren(...options);
  const tune = doc.tunes.find((one) => one.id === chosen);
  select.style.setProperty("--colour", tune ? tuneColour(tune.colour) : "transparent");
}

const TONICS = ["C", "C#", "D", "Eb", "E", "F", "F#", "G", "Ab", "A", "Bb", "B"];
const ANY = "none"; // in place of a tonic: all notes may come

export function fillScale(tonic, scale, chosen) {
  if (!tonic.options.length) {
    const names = TONICS.map((name) => new Option(name.replace("#", "♯").replace("b", "♭"), name));
    tonic.replaceChildren(new Option("auto", ""), ...names, new Option("any notes", ANY));
    scale.replaceChildren(...model.scales.map((name) => new Option(name.replace("-", " "), name)));
  }
  tonic.value = chosen.tonic;
  scale.value = chosen.scale;
  scale.hidden = !chosen.tonic || chosen.tonic === ANY;
}

export const scaleOf = ({ tonic, scale }) => (tonic && tonic !== ANY ? `${tonic}:${scale}` : tonic || "auto");

/** The first window of a tune's melody that the model takes. */
export function windowOf(tune) {
  const { melody } = tune;
  const steps = model.bars * barSteps(melody);
  if (melody.length_steps === steps) return melody;
  const notes = melody.notes.filter((note) => note[0] < steps).map(([start, end, ...rest]) => [start, Math.min(end, steps), ...rest]);
  return { ...melody, notes, length_steps: steps };
}
