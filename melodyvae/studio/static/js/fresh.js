// New: tunes that nobody wrote, in a key, with as many notes as one likes.

import { element, fillScale, scaleOf, showCommand, showLanes, work } from "./app.js";
import { pitchRange } from "./roll.js";
import { doc, set } from "./store.js";

const tiles = [];

export function setUpFresh() {
  element("fresh-tonic").onchange = (event) => set((now) => (now.fresh.tonic = event.target.value));
  element("fresh-scale").onchange = (event) => set((now) => (now.fresh.scale = event.target.value));
  element("fresh-density").oninput = (event) => set((now) => (now.fresh.density = Number(event.target.value)));
  element("fresh-temperature").oninput = (event) => set((now) => (now.fresh.temperature = Number(event.target.value)));
  element("sample").onclick = sample;
}

export function showFresh() {
  const { fresh } = doc;
  fillScale(element("fresh-tonic"), element("fresh-scale"), fresh);
  element("fresh-density").value = fresh.density;
  element("fresh-density-said").value = fresh.density || "any";
  element("fresh-temperature").value = fresh.temperature;
  element("fresh-temperature-said").value = fresh.temperature.toFixed(1);
}

async function sample() {
  set((now) => (now.fresh.seed = (now.fresh.seed + 1) % 10_000));
  const { count, density, temperature, tempo, seed } = doc.fresh;
  const found = await work(
    "sample",
    "Making new tunes",
    { count, scale: scaleOf(doc.fresh), density: density || null, temperature, quarters_per_minute: tempo, seed },
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
      label: `${melody.notes.length} notes`,
      name: `new ${seed}-${index + 1}`,
      colourIndex: index,
    })),
  );
  element("fresh-said").textContent = found.command ? "" : "The command line has no choice of density, so there is no command that does the same.";
  showCommand("fresh", found.command);
}
