// Draw: notes are added, moved and removed in the roll; bars are hidden and written anew; the model says what it hears.

import { barSteps, barsOf, downloaded, element, model, player, showCommand, showLanes, work } from "./app.js";
import { Roll, pitchRange, spokenPitch, tuneColour } from "./roll.js";
import { change, doc, newTune, selected, set } from "./store.js";

const KEYS_WIDTH = 46;
const GRIP = 8; // pixels at a note's end by which its length is dragged
const NEW_NOTE_STEPS = 2;
const VELOCITY = 80;
const PREVIEW_SECONDS = 0.25;
const tiles = [];
let roll = null;
let range = [48, 84];
let shownId = "";
let drag = null;
let cursor = null;
let asked = "";
let timer = 0;
let scored = null;

export function setUpDraw() {
  roll = new Roll(element("editor").querySelector("canvas"), { keys: KEYS_WIDTH, fine: true });
  const editor = element("editor");
  editor.onpointerdown = begin;
  editor.onpointermove = moveTo;
  editor.onpointerup = finish;
  editor.onpointercancel = () => {
    drag = null;
    showDraw();
  };
  editor.onkeydown = onKey;
  editor.onblur = () => {
    cursor = null;
    roll.set({ cursor: null });
  };
  element("draw-blank").onclick = blank;
  element("draw-doubts").onclick = () => set((now) => (now.draw.doubts = !now.draw.doubts));
  element("draw-play").onclick = () => (player.playing && player.current?.key === "draw" ? player.stop() : play());
  element("complete").onclick = () => complete(hidden());
  element("continue").onclick = goOn;
  element("continue-bars").onchange = (event) => set((now) => (now.draw.more = Number(event.target.value)));
}

const tune = () => selected();
const hidden = () => doc.draw.hidden.filter((bar) => tune() && bar < barsOf(tune().melody));

export function showDraw() {
  const own = tune();
  if (!own || !roll) return;
  const melody = drag?.melody ?? own.melody;
  if (shownId !== own.id || melody.notes.some((note) => note[2] < range[0] || note[2] > range[1])) {
    const [low, high] = pitchRange([melody], 4);
    range = [Math.max(model.lowest_pitch, Math.min(low, high - 22)), Math.min(model.highest_pitch, Math.max(high, low + 22))];
  }
  if (shownId !== own.id) roll.options.ghost = null; // it was of another tune
  shownId = own.id;
  const doubts = doc.draw.doubts && scored?.melody === JSON.stringify(own.melody) ? scored.notes : null;
  roll.options = { ...roll.options, melody, range, colour: tuneColour(own.colour), hidden: hidden(), doubts, cursor };
  roll.paint();
  const bars = barsOf(melody);
  const more = element("continue-bars");
  const choices = model.composes ? [2, 4, 8, 16] : [model.bars];
  if (more.options.length !== choices.length) more.replaceChildren(...choices.map((count) => new Option(count, count)));
  more.value = choices.includes(doc.draw.more) ? doc.draw.more : choices[0];
  const heads = element("bar-heads");
  if (heads.children.length !== bars) {
    heads.replaceChildren(
      ...[...Array(bars).keys()].map((bar) => {
        const head = Object.assign(document.createElement("button"), { textContent: bars > 8 ? bar + 1 : `bar ${bar + 1}` });
        head.onclick = () =>
          set((now) => {
            const there = now.draw.hidden.includes(bar);
            now.draw.hidden = there ? now.draw.hidden.filter((one) => one !== bar) : [...now.draw.hidden, bar].sort((a, b) => a - b);
          });
        return head;
      }),
    );
  }
  [...heads.children].forEach((head, bar) => {
    const isHidden = hidden().includes(bar);
    head.setAttribute("aria-pressed", isHidden);
    head.setAttribute("aria-label", `Bar ${bar + 1}: ${isHidden ? "show it again" : "hide it, to have it written anew"}`);
  });
  element("complete").disabled = !hidden().length || hidden().length === bars;
  element("draw-doubts").setAttribute("aria-pressed", doc.draw.doubts);
  if (doc.mode === "draw" && !drag) follow(own);
}

/** Ask the model what it makes of the tune: what it hears, and which notes it doubts. */
function follow(own) {
  const wanted = JSON.stringify([own.melody, doc.draw.doubts]);
  if (wanted === asked) return;
  asked = wanted;
  clearTimeout(timer);
  if (!own.melody.notes.length) {
    element("draw-said").textContent = "Click in the roll to write.";
    return roll.set({ ghost: null });
  }
  timer = setTimeout(async () => {
    const window = own.melody;
    const heard = await work("reconstruct", "Listening", { melody: window }, [downloaded(own)]);
    if (asked !== wanted) return;
    if (heard) {
      tell(heard);
      showCommand("draw", heard.command);
    }
    if (!doc.draw.doubts) return;
    const found = await work("score", "Looking for doubtful notes", { melody: window }, [downloaded(own)]);
    if (!found || asked !== wanted) return;
    scored = { melody: JSON.stringify(window), notes: found.notes };
    const percentile = found.windows[0]?.percentile;
    const doubtful = found.notes.filter((note) => note.doubtful);
    const said = doubtful.map((note) => `bar ${1 + Math.floor(note.start / barSteps(window))}: ${spokenPitch(note.pitch)}, rather ${spokenPitch(note.better)}`);
    element("draw-said").textContent = [
      percentile === null || percentile === undefined ? "" : `More unusual than ${Math.round(percentile)} of 100 tunes`,
      said.length ? `Doubtful: ${said.join("; ")}` : "No doubtful note",
    ].filter(Boolean).join(" · ");
    showCommand("draw", found.command);
    showDraw();
  }, 160);
}

function tell({ melodies, steps, steps_right: right }) {
  element("draw-said").textContent =
    right === steps ? "The model hears exactly this." : `The model hears it nearly so: ${right} of ${steps} sixteenths (dashed: what it hears).`;
  roll.set({ ghost: right === steps ? null : melodies[0] });
}

function edit(notes) {
  const { id } = tune();
  change((now) => {
    const own = now.tunes.find((one) => one.id === id);
    own.melody = { ...own.melody, notes };
    if (own.source) own.source = { ...own.source, edited: true };
  });
}

function blank() {
  const melody = { notes: [], length_steps: model.bars * model.steps_per_bar, steps_per_quarter: model.steps_per_quarter, meter: model.meter, quarters_per_minute: 120, program: 0, name: "" };
  const made = newTune("my tune", melody);
  change((now) => {
    now.tunes.push(made);
    now.selected = made.id;
  });
}

function play() {
  const item = {
    get melody() {
      return drag?.melody ?? tune()?.melody;
    },
    get colour() {
      return tuneColour(tune()?.colour ?? 0);
    },
    key: "draw",
    name: tune()?.name,
  };
  player.play([item], { one: true });
}

export function paintDrawPlayhead(heard) {
  if (!roll || doc.mode !== "draw") return;
  const at = heard?.item?.key === "draw" ? heard.step : undefined;
  if (at === roll.options.playAt) return;
  roll.set({ playAt: at, playStep: at });
}

/** Notes without overlaps: `put` is there, and those in its way end before it, begin after it, or go. */
function placed(notes, put) {
  const kept = [];
  for (const note of notes) {
    if (note[1] <= put[0] || note[0] >= put[1]) kept.push(note);
    else if (note[0] < put[0]) kept.push([note[0], put[0], note[2], note[3]]);
    else if (note[1] > put[1]) kept.push([put[1], note[1], note[2], note[3]]);
  }
  return [...kept, put].sort((a, b) => a[0] - b[0]);
}

const preview = (pitch) => {
  if (player.playing) return;
  const output = player.output();
  output.context.resume();
  const program = doc.sound.instrument >= 0 ? doc.sound.instrument : (tune()?.melody.program ?? 0);
  output.note(output.context.currentTime + 0.01, pitch, VELOCITY, PREVIEW_SECONDS, program);
};

function begin(event) {
  const own = tune();
  if (!own || event.button > 0) return;
  const box = element("editor").getBoundingClientRect();
  const { step, pitch, inKeys } = roll.at(event.clientX - box.left, event.clientY - box.top);
  if (inKeys) return preview(pitch);
  element("editor").setPointerCapture(event.pointerId);
  const melody = own.melody;
  const length = melody.length_steps;
  const index = melody.notes.findIndex((note) => note[2] === pitch && step >= note[0] && step < note[1]);
  if (index < 0) {
    const start = Math.max(0, Math.min(length - 1, Math.floor(step)));
    const next = melody.notes.find((note) => note[0] > start)?.[0] ?? length;
    const note = [start, Math.min(start + NEW_NOTE_STEPS, Math.max(next, start + 1), length), pitch, VELOCITY];
    drag = { kind: "new", note, rest: melody.notes, moved: true, base: melody };
    preview(pitch);
  } else {
    const note = melody.notes[index];
    const nearEnd = roll.x(note[1]) - (event.clientX - box.left) < Math.min(GRIP, (roll.x(note[1]) - roll.x(note[0])) / 2.5);
    const rest = melody.notes.filter((_, place) => place !== index);
    drag = { kind: nearEnd ? "length" : "move", note: [...note], rest, grabbed: step - note[0], moved: false, base: melody };
  }
  show();
}

function show() {
  drag.melody = { ...drag.base, notes: placed(drag.rest, drag.note) };
  showDraw();
}

function moveTo(event) {
  if (!drag) {
    const box = element("editor").getBoundingClientRect();
    const { step, pitch, inKeys } = roll.at(event.clientX - box.left, event.clientY - box.top);
    const note = tune()?.melody.notes.find((one) => one[2] === pitch && step >= one[0] && step < one[1]);
    const atEnd = note && roll.x(note[1]) - (event.clientX - box.left) < GRIP;
    element("editor").style.cursor = inKeys ? "pointer" : atEnd ? "ew-resize" : note ? "grab" : "crosshair";
    return;
  }
  const box = element("editor").getBoundingClientRect();
  const { step, pitch } = roll.at(event.clientX - box.left, event.clientY - box.top);
  const before = drag.note.join();
  const length = drag.base.length_steps;
  if (drag.kind === "move") {
    const size = drag.note[1] - drag.note[0];
    const start = Math.max(0, Math.min(length - size, Math.round(step - drag.grabbed)));
    const to = Math.max(range[0], Math.min(range[1], pitch));
    if (to !== drag.note[2]) preview(to);
    drag.note = [start, start + size, to, drag.note[3]];
  } else {
    drag.note[1] = Math.max(drag.note[0] + 1, Math.min(length, Math.ceil(step)));
  }
  if (drag.note.join() !== before) {
    drag.moved = true;
    show();
  }
}

function finish() {
  if (!drag) return;
  const { moved, melody, rest } = drag;
  drag = null;
  edit(moved ? melody.notes : rest);
  showDraw();
}

function onKey(event) {
  const own = tune();
  if (!own || event.ctrlKey || event.metaKey) return;
  const move = { ArrowLeft: [-1, 0], ArrowRight: [1, 0], ArrowUp: [0, 1], ArrowDown: [0, -1] }[event.key];
  const length = own.melody.length_steps;
  cursor ??= { step: own.melody.notes[0]?.[0] ?? 0, pitch: own.melody.notes[0]?.[2] ?? 60 };
  const index = own.melody.notes.findIndex((note) => note[2] === cursor.pitch && cursor.step >= note[0] && cursor.step < note[1]);
  if (move) {
    const step = Math.max(0, Math.min(length - 1, cursor.step + move[0]));
    const pitch = Math.max(range[0], Math.min(range[1], cursor.pitch + move[1]));
    if (event.shiftKey && index >= 0) {
      const [start, end, , velocity] = own.melody.notes[index];
      const size = end - start;
      const to = Math.max(0, Math.min(length - size, start + step - cursor.step));
      edit(placed(own.melody.notes.filter((_, place) => place !== index), [to, to + size, pitch, velocity]));
    }
    cursor = { step, pitch };
  } else if (event.key === "Enter" || event.key === "Delete" || event.key === "Backspace") {
    if (index >= 0) edit(own.melody.notes.filter((_, place) => place !== index));
    else if (event.key === "Enter") {
      const next = own.melody.notes.find((note) => note[0] > cursor.step)?.[0] ?? length;
      edit(placed(own.melody.notes, [cursor.step, Math.min(next, cursor.step + NEW_NOTE_STEPS), cursor.pitch, VELOCITY]));
      preview(cursor.pitch);
    }
  } else return;
  event.preventDefault();
  event.stopPropagation();
  showDraw();
}

/** Bars after the end: by the model that composes, or filled in by the only model there is. */
async function goOn() {
  const own = tune();
  if (!own?.melody.notes.length) return;
  const { melody } = own;
  if (!model.composes) return complete([...Array(model.bars).keys()].map((bar) => barsOf(melody) + bar));
  set((now) => (now.shape.seed = (now.shape.seed + 1) % 1000));
  const request = { melody, bars: Number(element("continue-bars").value), count: 2, seed: doc.shape.seed };
  showWritten(own, await work("continue", "Going on", request, [downloaded(own)]));
}

/** The hidden bars, from 0, written anew. */
async function complete(bars) {
  const own = tune();
  if (!own || !bars.length) return;
  const request = { melody: own.melody, hidden_bars: bars.map((bar) => bar + 1), count: 2, seed: doc.shape.seed };
  showWritten(own, await work("complete", "Writing", request, [downloaded(own)]));
}

function showWritten(own, found) {
  if (!found) return;
  const range = pitchRange(found.melodies);
  showLanes(
    element("complete-tiles"),
    tiles,
    found.melodies.map((melody, index) => ({
      melody,
      range,
      key: `complete-${index}`,
      label: `way ${index + 1}`,
      name: `${own.name} written ${index + 1}`,
      colourIndex: own.colour,
    })),
  );
  showCommand("draw", found.command);
}

/** Where a step and a pitch are on the screen, in CSS pixels. */
export function placeOf(step, pitch) {
  const box = element("editor").getBoundingClientRect();
  const [low, high] = roll.range;
  return [box.left + roll.x(step) + 2, box.top + roll.y(pitch) + roll.height / (high - low + 1) / 2];
}
