// New: tunes that nobody wrote, in a key, with as many notes as one likes.

import { element, fillScale, model, scaleOf, showCommand, showLanes, work } from "./app.js";
import { pitchRange } from "./roll.js";
import { doc, set } from "./store.js";

const BARS = [2, 4, 8, 16, 32]; // of the model that composes
const MODES = ["major", "minor"]; // a key has one of these; of other scales the notes are kept
const tiles = [];

export function setUpFresh() {
  element("fresh-tonic").onchange = (event) => set((now) => (now.fresh.tonic = event.target.value));
  element("fresh-scale").onchange = (event) => set((now) => (now.fresh.scale = event.target.value));
  element("fresh-density").oninput = (event) => set((now) => (now.fresh.density = Number(event.target.value)));
  element("fresh-temperature").oninput = (event) => set((now) => (now.fresh.temperature = Number(event.target.value)));
  element("fresh-bars").onchange = (event) => set((now) => (now.fresh.bars = Number(event.target.value)));
  element("fresh-meter").onchange = (event) => set((now) => (now.fresh.meter = event.target.value));
  element("fresh-meter-field").hidden = !model.chooses;
  for (const [name, choices] of [["style", model.styles], ["form", model.forms]]) {
    const select = element(`fresh-${name}`);
    select.append(...choices.map((choice) => new Option(choice)));
    select.onchange = () => set((now) => (now.fresh[name] = select.value));
    element(`fresh-${name}-field`).hidden = !model.composes;
  }
  element("sample").onclick = sample;
}

export function showFresh() {
  const { fresh } = doc;
  fillScale(element("fresh-tonic"), element("fresh-scale"), fresh);
  const bars = element("fresh-bars");
  const choices = model.composes ? BARS : [model.bars];
  if (bars.options.length !== choices.length) bars.replaceChildren(...choices.map((count) => new Option(count, count)));
  bars.value = choices.includes(fresh.bars) ? fresh.bars : choices[0];
  element("fresh-meter").value = fresh.meter;
  element("fresh-style").value = fresh.style ?? "";
  element("fresh-form").value = fresh.form ?? "auto";
  element("fresh-density-field").hidden = !model.composes;
  element("fresh-tiles").classList.toggle("long", Number(bars.value) > 4);
  element("fresh-density").value = fresh.density;
  element("fresh-density-said").value = fresh.density || "any";
  element("fresh-temperature").value = fresh.temperature;
  element("fresh-temperature-said").value = fresh.temperature.toFixed(1);
}

async function sample() {
  set((now) => (now.fresh.seed = (now.fresh.seed + 1) % 10_000));
  const { count, meter, style, form, density, temperature, tempo, seed, tonic, scale } = doc.fresh;
  const isKey = model.composes && tonic && MODES.includes(scale);
  const found = await work(
    "sample",
    "Making new tunes",
    {
      count,
      meter: (model.chooses && meter) || null,
      style: (model.composes && style) || null,
      form: (model.composes && form) || "auto",
      bars: model.composes ? Number(element("fresh-bars").value) : null,
      key: isKey ? scaleOf(doc.fresh) : null,
      density: model.composes && density ? density : null,
      scale: isKey ? "auto" : scaleOf(doc.fresh),
      temperature,
      tempo,
      seed,
    },
    [],
  );
  if (!found) return;
  const range = pitchRange(found.melodies);
  showLanes(
    element("fresh-tiles"),
    tiles,
    found.melodies.map((melody, index) => ({
      melody,
      range,
      key: `fresh-${index}`,
      label: [found.styles[index], found.forms[index], `${melody.notes.length} notes`].filter(Boolean).join(" "),
      name: `new ${seed}-${index + 1}`,
      colourIndex: index,
    })),
  );
  element("fresh-said").textContent = `By ${found.model}.`;
  showCommand("fresh", found.command);
}
