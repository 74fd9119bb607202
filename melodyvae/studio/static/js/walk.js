// Walk: the tunes on the way from one to another, each a lane under the one before.

import * as api from "./api.js";
import { complain, element, fillTunes, model, named, player, showCommand, showLanes, work } from "./app.js";
import { mix, pitchRange, tuneColour } from "./roll.js";
import { change, doc, set, slots, tuneOf } from "./store.js";
import { saveMidi } from "./take.js";
import { originOf } from "./shelf.js";

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
  for (const option of ["key", "tempo", "spacing", "ends"]) {
    element(`walk-${option}`).onchange = (event) => set((now) => (now.walk[option] = event.target.value));
  }
  element("walk-bars").onchange = (event) => set((now) => (now.walk.bars = Number(event.target.value)));
  element("walk-play").onclick = () => {
    if (lanes.length) player.play(lanes.map((lane) => lane.item()));
  };
  element("walk-save").onclick = () => {
    if (result) saveMidi(result.melodies, walkName()).catch(complain);
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
  for (const option of ["count", "key", "tempo", "spacing", "ends", "bars"]) element(`walk-${option}`).value = walk[option];
  element("walk-count-said").value = walk.count;
  if (doc.mode === "walk") ask();
}

let timer = 0;
function ask() {
  const { a, b } = slots();
  const wanted = JSON.stringify([tuneOf(a)?.melody, tuneOf(b)?.melody, { ...doc.walk, lane: 0 }]);
  if (wanted === asked || !a || !b) return;
  asked = wanted;
  clearTimeout(timer);
  timer = setTimeout(() => run(wanted), result ? 180 : 0);
}

/** The stretch of a tune that is walked: its own, or as many bars as were asked for, read from its file again. */
async function stretch(tune, bars) {
  const own = { melody: tune.melody, sounding: tune.source?.edited ? null : (tune.source?.sounding ?? null) };
  const origin = originOf(tune);
  if (!bars || !origin || tune.source.edited) return own;
  const piece = await api.read(origin, { track: tune.source.track, bar: tune.source.first_bar, bars });
  return { melody: piece.melody, sounding: piece.sounding };
}

const cut = (melody, steps) => ({
  ...melody,
  length_steps: steps,
  notes: melody.notes.filter((note) => note[0] < steps).map(([start, end, ...rest]) => [start, Math.min(end, steps), ...rest]),
});

async function run(wanted) {
  const [a, b] = [tuneOf(slots().a), tuneOf(slots().b)];
  if (!a || !b) return;
  const { count, key, tempo, spacing, ends, bars } = doc.walk;
  let stretches;
  try {
    const lengths = [a, b].map((tune) => (originOf(tune) && !tune.source.edited ? tune.source.bars : tune.melody.length_steps / model.steps_per_bar));
    const taken = bars ? Math.max(model.bars, Math.min(bars, ...lengths)) : 0;
    stretches = await Promise.all([stretch(a, taken), stretch(b, taken)]);
  } catch (error) {
    return complain(error);
  }
  const steps = Math.max(model.bars * model.steps_per_bar, Math.min(...stretches.map((one) => one.melody.length_steps)));
  const found = await work(
    "walk",
    "Walking",
    {
      a: cut(stretches[0].melody, steps),
      b: cut(stretches[1].melody, steps),
      count,
      key,
      tempo,
      spacing,
      ends,
      sounding_a: stretches[0].sounding,
      sounding_b: stretches[1].sounding,
    },
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
      range,
      key: `walk-${index}`,
      label: String(index + 1),
      name: index === 0 ? a.name : index === last ? b.name : `${a.name} to ${b.name} ${index + 1}`,
      colour: mix(colours, [last - index, index]),
    })),
  );
  const [first, final] = result.steps_right;
  const told = (name, right) => `${name} ${right === result.steps ? "comes back exactly" : `comes back on ${right} of ${result.steps} steps`}`;
  element("walk-said").textContent = [told(a.name, first), told(b.name, final), `${result.distinct} of ${last + 1} are different`, ...result.decisions].join(" · ");
  showCommand("walk", result.command);
}

/** Colours are other ones in another theme. */
export function recolourWalk() {
  const [a, b] = [tuneOf(slots().a), tuneOf(slots().b)];
  if (result && a && b) showResult(a, b);
}
