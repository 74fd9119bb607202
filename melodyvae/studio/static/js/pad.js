// Pad: a square of tunes between four, decoded at once; moving over it is a look-up, so the sound follows in time.

import {
  Lane,
  barSteps,
  complain,
  element,
  fillTunes,
  foundSourceOf,
  keep,
  model,
  named,
  player,
  say,
  showCommand,
  work,
} from "./app.js";
import { mix, pitchRange, tuneColour, css } from "./roll.js";
import { change, doc, set, slots, tuneOf } from "./store.js";
import { saveMidi } from "./take.js";

const SIZE = 17;
const LONG_SIZE = 9; // of models of more bars
const LONG_BARS = 4;
const STEP = 1 / 16;
const MARGIN = 14; // pixels at the edge that belong to the edge, so that the corners are easy to reach
let asked = "";
let found = null;
let lane = null;
let range = [60, 72];
let colours = ["#888888", "#888888", "#888888", "#888888"];
let recording = null;
let path = {};
let timer = 0;
let map = null;

const corners = () => slots().corners.map(tuneOf);
const weights = (x, y) => [(1 - x) * (1 - y), x * (1 - y), (1 - x) * y, x * y];

export function setUpPad() {
  lane = new Lane(element("pad-lane"));
  lane.keep = () => keep("from the pad", melodyHere());
  for (let corner = 0; corner < 4; corner += 1) {
    element(`corner-${corner}`).onchange = (event) => change((now) => (now.slots.corners[corner] = event.target.value));
  }
  const pad = element("pad");
  pad.onpointerdown = (event) => {
    pad.setPointerCapture(event.pointerId);
    pad.onpointermove(event);
    if (!player.playing || player.current?.key !== "pad") play();
  };
  pad.onpointermove = (event) => {
    if (!pad.hasPointerCapture(event.pointerId)) return;
    const box = pad.getBoundingClientRect();
    const share = (at, start, size) => (at - start - MARGIN) / (size - 2 * MARGIN);
    move(share(event.clientX, box.left, box.width), share(event.clientY, box.top, box.height));
  };
  pad.onpointerup = () => set(() => {});
  pad.onkeydown = (event) => {
    const [x, y] = { ArrowLeft: [-STEP, 0], ArrowRight: [STEP, 0], ArrowUp: [0, -STEP], ArrowDown: [0, STEP] }[event.key] ?? [];
    if (x === undefined) return;
    event.preventDefault();
    event.stopPropagation();
    move(doc.pad.x + x, doc.pad.y + y);
    set(() => {});
  };
  for (const option of ["key", "tempo"]) {
    element(`pad-${option}`).onchange = (event) => set((now) => (now.pad[option] = event.target.value));
  }
  element("pad-play").onclick = () => (player.playing && player.current?.key === "pad" ? player.stop() : play());
  element("pad-record").onclick = () => {
    if (recording) finishRecording();
    else startRecording();
  };
  element("pad-save").onclick = () => saveMidi([path.melody], "pad path").catch(complain);
  player.onStep = (item, step) => {
    if (recording && item.key === "pad") record(step);
  };
  new ResizeObserver(paint).observe(pad);
}

export function showPad() {
  slots().corners.forEach((id, corner) => fillTunes(element(`corner-${corner}`), id));
  for (const option of ["key", "tempo"]) element(`pad-${option}`).value = doc.pad[option];
  if (doc.mode === "pad") ask();
  place();
}

function ask() {
  const tunes = corners();
  const { key, tempo } = doc.pad;
  const wanted = JSON.stringify([tunes.map((tune) => tune?.melody), key, tempo]);
  if (tunes.some((tune) => !tune)) return;
  if (wanted === asked) return recolourPad();
  asked = wanted;
  clearTimeout(timer);
  timer = setTimeout(() => run(wanted), found ? 120 : 0);
}

async function run(wanted) {
  const tunes = corners();
  if (tunes.some((tune) => !tune)) return;
  const size = model.bars > LONG_BARS ? LONG_SIZE : SIZE;
  const { key, tempo } = doc.pad;
  const result = await work("pad", "Filling the pad", { corners: tunes.map(foundSourceOf), count: size, key, tempo }, tunes.map(named));
  if (!result) {
    if (asked === wanted) asked = "";
    return;
  }
  if (asked !== wanted) return;
  found = result;
  range = pitchRange(found.cells.map((notes) => ({ notes })));
  element("pad-said").textContent = [`${found.distinct} different tunes between the four`, ...found.decisions].join(" · ");
  showCommand("pad", found.command);
  recolourPad();
}

export function recolourPad() {
  const tunes = corners();
  if (tunes.some((tune) => !tune)) return;
  colours = tunes.map((tune) => tuneColour(tune.colour));
  paint();
  place();
}

function cell(x, y) {
  const last = found.size - 1;
  return Math.round(y * last) * found.size + Math.round(x * last);
}

/** The tune under the point. */
function melodyHere(x = doc.pad.x, y = doc.pad.y) {
  const here = cell(x, y);
  return { ...found.frame, notes: found.cells[here].map((note) => [...note, 80]), quarters_per_minute: found.tempi[here] };
}

function play() {
  if (!found) return;
  const item = {
    get melody() {
      return melodyHere();
    },
    key: "pad",
    name: "the pad",
    get colour() {
      return mix(colours, weights(doc.pad.x, doc.pad.y));
    },
  };
  player.play([item], { one: true });
}

function move(x, y) {
  doc.pad.x = Math.max(0, Math.min(1, x));
  doc.pad.y = Math.max(0, Math.min(1, y));
  place();
}

function place() {
  const { x, y } = doc.pad;
  const puck = element("puck");
  puck.style.left = `${100 * x}%`;
  puck.style.top = `${100 * y}%`;
  const colour = mix(colours, weights(x, y));
  puck.style.setProperty("--colour", colour);
  if (!found || corners().some((tune) => !tune)) return;
  const melody = melodyHere();
  lane.show({ melody, name: "from the pad", label: "Here", colour, range, key: "pad", playAt: lane.roll.options.playAt, playStep: lane.roll.options.playStep });
  lane.play = () => (player.playing && player.current?.key === "pad" ? player.stop() : play());
  element("pad").setAttribute("aria-label", `Pad between four tunes, ${Math.round(100 * x)} percent across, ${Math.round(100 * y)} percent down: drag, or move with the arrow keys`);
}

/** The map and, over it, the path. The map is drawn once and kept: while a path is recorded, this is called every step. */
function paint() {
  const canvas = element("pad").querySelector("canvas");
  const box = canvas.getBoundingClientRect();
  if (!box.width) return;
  const ratio = devicePixelRatio || 1;
  const [width, height] = [Math.round(box.width * ratio), Math.round(box.height * ratio)];
  if (canvas.width !== width || canvas.height !== height) Object.assign(canvas, { width, height });
  const shown = [width, height, ...colours, document.documentElement.dataset.theme].join();
  if (map?.shown !== shown || map.found !== found) {
    const sheet = Object.assign(document.createElement("canvas"), { width, height });
    drawMap(sheet.getContext("2d"), box, ratio);
    map = { shown, found, sheet };
  }
  const pen = canvas.getContext("2d");
  pen.setTransform(1, 0, 0, 1, 0, 0);
  pen.clearRect(0, 0, width, height);
  pen.drawImage(map.sheet, 0, 0);
  pen.setTransform(ratio, 0, 0, ratio, 0, 0);
  const points = recording?.points ?? path.points ?? [];
  if (points.length > 1) {
    pen.strokeStyle = css("--playhead");
    pen.lineWidth = 2;
    pen.setLineDash([2, 5]);
    pen.lineCap = "round";
    pen.beginPath();
    points.forEach(([x, y], index) => pen[index ? "lineTo" : "moveTo"](x * box.width, y * box.height));
    pen.stroke();
  }
}

/** Each tune a country in its mixed colour, borders where the tune changes, a small roll in each field. */
function drawMap(pen, box, ratio) {
  pen.scale(ratio, ratio);
  const size = found?.size ?? SIZE;
  const [w, h] = [box.width / size, box.height / size];
  const dark = document.documentElement.dataset.theme !== "light";
  const steps = found?.frame.length_steps;
  const keys = found?.cells.map((notes) => JSON.stringify(notes));
  for (let row = 0; row < size; row += 1) {
    for (let column = 0; column < size; column += 1) {
      const [left, top] = [Math.round(column * w), Math.round(row * h)];
      pen.globalAlpha = dark ? 0.66 : 0.78;
      pen.fillStyle = mix(colours, weights(column / (size - 1), row / (size - 1)));
      pen.fillRect(left, top, Math.round((column + 1) * w) - left, Math.round((row + 1) * h) - top);
    }
  }
  pen.globalAlpha = 1;
  if (!found) return;
  const [low, high] = range;
  for (let row = 0; row < size; row += 1) {
    for (let column = 0; column < size; column += 1) {
      const here = row * size + column;
      pen.fillStyle = dark ? "#0b0d13" : "#ffffff";
      for (const [start, end, pitch] of found.cells[here]) {
        pen.globalAlpha = dark ? 0.62 : 0.85;
        const left = column * w + 3 + (start / steps) * (w - 6);
        const wide = Math.max(1.4, ((end - start) / steps) * (w - 6) - 0.6);
        pen.fillRect(left, row * h + 4 + ((high - pitch) / (high - low)) * (h - 9), wide, 1.8);
      }
      pen.globalAlpha = 0.75;
      pen.fillStyle = css("--roll");
      if (column + 1 < size && keys[here] !== keys[here + 1]) pen.fillRect((column + 1) * w - 0.6, row * h, 1.2, h);
      if (row + 1 < size && keys[here] !== keys[here + size]) pen.fillRect(column * w, (row + 1) * h - 0.6, w, 1.2);
    }
  }
}

// The path that is heard is what is written: at every step the notes that begin there, where the point was then

function startRecording() {
  if (!found) return;
  recording = { notes: [], step: 0, points: [], melody: melodyHere() };
  element("pad-record").setAttribute("aria-pressed", "true");
  element("pad-record").querySelector("span").textContent = "Stop recording";
  play();
}

function record(step) {
  const melody = melodyHere();
  const at = recording.step;
  for (const [start, end, pitch, velocity] of melody.notes) {
    if (start !== step) continue;
    const before = recording.notes.at(-1);
    if (before && before[1] > at) before[1] = at;
    recording.notes.push([at, at + end - start, pitch, velocity]);
  }
  recording.points.push([doc.pad.x, doc.pad.y]);
  recording.step += 1;
  paint();
}

function finishRecording() {
  const { notes, step, points, melody } = recording;
  recording = null;
  element("pad-record").setAttribute("aria-pressed", "false");
  element("pad-record").querySelector("span").textContent = "Record the path";
  player.stop();
  const bar = barSteps(melody);
  const length = Math.ceil(Math.max(step, 1) / bar) * bar;
  const last = notes.at(-1);
  if (last) last[1] = Math.min(last[1], length);
  if (!notes.length) return say("Nothing was played while it recorded.");
  path = { points, melody: { ...melody, notes: notes.filter((note) => note[1] > note[0]), length_steps: length, name: "pad path" } };
  element("pad-save").disabled = false;
  paint();
  say(`${length / bar} bars of path are recorded.`);
}
