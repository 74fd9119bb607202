// Shape: sliders that move a tune's character, a scale, and tunes near it.

import { Lane, element, fillScale, model, named, scaleOf, showCommand, showLanes, sourceOf, windowOf, work } from "./app.js";
import { pitchRange } from "./roll.js";
import { doc, selected, set } from "./store.js";

const NAMES = {
  density: "notes",
  range: "range",
  interval: "leaps",
  "syncopation-8": "off-beat 8ths",
  "syncopation-16": "off-beat 16ths",
  diatonic: "in scale",
};
const MAX_AMOUNT = 3;
const faders = new Map();
const tiles = [];
let before = null;
let after = null;
let asked = "";
let timer = 0;
let varied = null;

export function setUpShape() {
  before = new Lane(element("shape-before"));
  after = new Lane(element("shape-after"));
  element("faders").replaceChildren(...model.attributes.map(fader));
  if (!model.attributes.length) element("faders").textContent = "This model came without the directions that the sliders need.";
  element("shape-reset").onclick = () => set((now) => Object.assign(now.shape, { amounts: {}, tonic: "" }));
  element("shape-tonic").onchange = (event) => set((now) => (now.shape.tonic = event.target.value));
  element("shape-scale").onchange = (event) => set((now) => (now.shape.scale = event.target.value));
  element("vary-amount").oninput = (event) => set((now) => (now.shape.vary = Number(event.target.value)));
  element("vary").onclick = vary;
}

function fader({ name, unit }) {
  const node = Object.assign(document.createElement("label"), { className: "fader" });
  const said = document.createElement("output");
  const slider = Object.assign(document.createElement("input"), { type: "range", min: -MAX_AMOUNT, max: MAX_AMOUNT, step: 0.25, value: 0 });
  const title = Object.assign(document.createElement("span"), { textContent: NAMES[name] ?? name });
  const measured = Object.assign(document.createElement("small"), { title: unit });
  slider.setAttribute("aria-label", `${NAMES[name] ?? name}: more or less`);
  slider.oninput = () => set((now) => (now.shape.amounts = { ...now.shape.amounts, [name]: Number(slider.value) }));
  slider.ondblclick = () => set((now) => (now.shape.amounts = { ...now.shape.amounts, [name]: 0 }));
  node.append(said, slider, measured, title);
  faders.set(name, { said, slider, measured });
  return node;
}

const amounts = () =>
  Object.fromEntries(
    Object.entries(doc.shape.amounts)
      .filter(([, amount]) => amount)
      .map(([name, amount]) => [name.replaceAll("-", "_"), amount]),
  );

export function showShape() {
  fillScale(element("shape-tonic"), element("shape-scale"), doc.shape);
  for (const [name, { said, slider }] of faders) {
    const amount = doc.shape.amounts[name] ?? 0;
    slider.value = amount;
    said.value = amount ? `${amount > 0 ? "+" : "−"}${Math.abs(amount)}` : "0";
  }
  element("vary-amount").value = doc.shape.vary;
  element("vary-amount-said").value = `${Math.round(100 * doc.shape.vary)}%`;
  if (doc.mode === "shape") ask();
}

function ask() {
  const tune = selected();
  if (!tune) return;
  const wanted = JSON.stringify([tune.melody, amounts(), scaleOf(doc.shape)]);
  showBefore(tune);
  if (wanted === asked) return;
  asked = wanted;
  clearTimeout(timer);
  if (!Object.keys(amounts()).length && ["auto", "none"].includes(scaleOf(doc.shape))) {
    showAfter(tune, windowOf(tune), null);
    return showCommand("shape", varied?.command);
  }
  timer = setTimeout(() => run(tune, wanted), 140);
}

async function run(tune, wanted) {
  const request = { tune: sourceOf(tune), ...amounts(), scale: scaleOf(doc.shape) };
  const found = await work("morph", "Shaping", request, [named(tune)]);
  if (!found) {
    if (asked === wanted) asked = "";
    return;
  }
  if (asked !== wanted) return;
  showAfter(tune, found.melodies.at(-1), found.measured);
  showCommand("shape", found.command);
}

function showBefore(tune) {
  const melody = windowOf(tune);
  before.show({ melody, range: pitchRange([melody, after.melody ?? melody]), key: "shape-before", label: "as it is", name: tune.name, colourIndex: tune.colour });
}

function showAfter(tune, melody, measured) {
  const range = pitchRange([windowOf(tune), melody]);
  after.show({ melody, range, key: "shape-after", label: "shaped", name: `${tune.name} shaped`, colourIndex: tune.colour, ghost: windowOf(tune) });
  before.roll.set({ range });
  for (const [name, { measured: said }] of faders) {
    const values = measured?.[name];
    said.textContent = values ? `${short(values.before)} → ${short(values.after)}` : "";
  }
  element("shape-said").textContent = measured ? "Under the sliders: what the tune measures, before and after." : "Move a slider: the tune follows.";
}

const short = (value) => (Math.abs(value) >= 10 ? value.toFixed(0) : value.toFixed(1));

async function vary() {
  const tune = selected();
  if (!tune) return;
  set((now) => (now.shape.seed = (now.shape.seed + 1) % 1000));
  const found = await work(
    "vary",
    "Looking near it",
    { tune: sourceOf(tune), count: 8, amount: doc.shape.vary, scale: scaleOf(doc.shape), seed: doc.shape.seed },
    [named(tune)],
  );
  if (!found) return;
  varied = found;
  const range = pitchRange(found.melodies);
  showLanes(
    element("vary-tiles"),
    tiles,
    found.melodies.map((melody, index) => ({
      melody,
      range,
      key: `vary-${index}`,
      label: `${found.changed[index]} of ${found.steps} sixteenths differ`,
      name: `near ${tune.name} ${index + 1}`,
      colourIndex: tune.colour,
    })),
  );
  showCommand("shape", found.command);
}
