// Walk: the tunes on the way from one to another, each a lane under the one before.

import {
  complain,
  element,
  fillScale,
  fillTunes,
  model,
  named,
  player,
  scaleOf,
  showCommand,
  showLanes,
  sourceOf,
  work,
} from "./app.js";
import { mix, pitchRange, tuneColour } from "./roll.js";
import { change, doc, set, slots, tuneOf } from "./store.js";
import { saveMidi } from "./take.js";

const lanes = [];
let asked = "";
let result = null;

export function setUpWalk() {
  for (const end of ["a", "b"]) {
    element(`walk-${end}`).onchange = (event) => change((now) => (now.slots[end] = event.target.value));
  }
  element("walk-swap").onclick = () =>
    change((now) => ([now.slots.a, now.slots.b] = [slots().b, slots().a]));
  element("walk-count").oninput = (event) => set((now) => (now.walk.count = Number(event.target.value)));
  for (const option of ["key", "tempo", "tonic", "scale", "spacing", "ends"]) {
    element(`walk-${option}`).onchange = (event) => set((now) => (now.walk[option] = event.target.value));
  }
  element("walk-bars").onchange = (event) => set((now) => (now.walk.bars = Number(event.target.value)));
  element("walk-band").onchange = (event) => set((now) => (now.walk.band = event.target.checked));
  element("walk-play").onclick = () => {
    if (lanes.length) player.play(lanes.map((lane) => lane.item()));
  };
  element("walk-save").onclick = () => {
    if (result) saveMidi(result.melodies, walkName(), result.backings ?? undefined).catch(complain);
  };
}

const walkName = () => `${tuneOf(slots().a)?.name} to ${tuneOf(slots().b)?.name}`;

export function showWalk() {
  const { walk } = doc;
  fillTunes(element("walk-a"), slots().a);
  fillTunes(element("walk-b"), slots().b);
  const bars = element("walk-bars");
  if (!bars.options.length) {
    const choices = [...new Set([model.bars, 4, 8, 16])].filter((count) => count >= model.bars);
    bars.replaceChildren(...choices.map((count) => new Option(String(count), count === model.bars ? 0 : count)));
  }
  fillScale(element("walk-tonic"), element("walk-scale"), walk);
  element("walk-band").checked = walk.band;
  element("walk-band-field").hidden = !(tuneOf(slots().a)?.source?.tracks?.length > 1);
  for (const option of ["count", "key", "tempo", "spacing", "ends", "bars"]) element(`walk-${option}`).value = walk[option];
  element("walk-count-said").value = walk.count;
  if (doc.mode === "walk") ask();
}

let timer = 0;
function ask() {
  const { a, b } = slots();
  const wanted = JSON.stringify([tuneOf(a)?.melody, tuneOf(b)?.melody, doc.walk]);
  if (wanted === asked || !a || !b) return;
  asked = wanted;
  clearTimeout(timer);
  timer = setTimeout(() => run(wanted), result ? 180 : 0);
}

async function run(wanted) {
  const [a, b] = [tuneOf(slots().a), tuneOf(slots().b)];
  if (!a || !b) return;
  const { count, key, tempo, spacing, ends, bars, band } = doc.walk;
  const keep_accompaniment = band && a.source?.tracks?.length > 1 && !a.source.edited;
  const found = await work(
    "walk",
    "Walking",
    { a: sourceOf(a), b: sourceOf(b), count, bars: bars || null, key, tempo, scale: scaleOf(doc.walk), spacing, ends, keep_accompaniment },
    [named(a), named(b)],
  );
  if (!found) {
    if (asked === wanted) asked = "";
    return;
  }
  if (asked !== wanted) return;
  result = found;
  showResult(a, b);
}

function showResult(a, b) {
  const colours = [tuneColour(a.colour), tuneColour(b.colour)];
  const range = pitchRange(result.melodies);
  const last = result.melodies.length - 1;
  showLanes(
    element("walk-lanes"),
    lanes,
    result.melodies.map((melody, index) => ({
      melody,
      backing: result.backings?.[index],
      range,
      key: `walk-${index}`,
      label: String(index + 1),
      name: index === 0 ? a.name : index === last ? b.name : `${a.name} to ${b.name} ${index + 1}`,
      colour: mix(colours, [last - index, index]),
    })),
  );
  const [first, final] = result.steps_right;
  const exactly = (lost) => (lost ? `comes back as it is on the grid, where ${lost} of its notes are lost` : "comes back exactly");
  const told = (name, right, lost) => `${name} ${right === result.steps ? exactly(lost) : `comes back on ${right} of ${result.steps} sixteenths`}`;
  element("walk-said").textContent = [told(a.name, first, result.lost[0]), told(b.name, final, result.lost[1]), `${result.distinct} of ${last + 1} are different`, ...result.decisions].join(" · ");
  showCommand("walk", result.command);
}

/** Colours are other ones in another theme. */
export function recolourWalk() {
  const [a, b] = [tuneOf(slots().a), tuneOf(slots().b)];
  if (result && a && b) showResult(a, b);
}
