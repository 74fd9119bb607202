// The shelf: tunes that were opened, drawn or kept; and the sheet that shows what was taken of a piece, and why.

import * as api from "./api.js";
import { complain, element, fromBase64, model, player, say } from "./app.js";
import { Roll, pitchRange, spokenPitch, tuneColour } from "./roll.js";
import { change, doc, files, newTune, restore, selected, set, tuneOf } from "./store.js";
import { TUNE_TYPE, offerDrag } from "./take.js";
import { SoundFont } from "./soundfont.js";

const MAX_TUNES = 64;
const cards = new Map();

/** Put a piece that was read on the shelf. */
function shelve(piece, where, bytes) {
  const tune = newTune(nameOf(piece), piece.melody, { source: sourceOf(piece, { ...where, found: true }) });
  if (bytes) files.set(tune.id, toBase64(bytes));
  change((now) => {
    now.tunes.push(tune);
    now.selected = tune.id;
  });
  return tune;
}

const sentence = (text) => text.charAt(0).toUpperCase() + text.slice(1);

const nameOf = (piece) => {
  const taken = piece.last_bar - piece.first_bar + 1;
  return taken < piece.bars ? `${piece.name} ${piece.first_bar}-${piece.last_bar}` : piece.name;
};

function sourceOf(piece, where) {
  const { melody, overview, bar_of_grid, ...rest } = piece;
  return { ...rest, ...where, edited: false };
}

function toBase64(bytes) {
  let text = "";
  for (const byte of new Uint8Array(bytes)) text += String.fromCharCode(byte);
  return btoa(text);
}

/** Where a tune's piece can be read again: from an example, an opened file, or the bytes that the page keeps. */
export function originOf(tune) {
  const { source } = tune;
  if (!source) return null;
  if (source.example !== undefined) return { example: source.example };
  if (source.opened !== undefined) return { opened: source.opened };
  return files.has(tune.id) ? { file: source.file, bytes: fromBase64(files.get(tune.id)) } : null;
}

export async function openExample(index) {
  return shelve(await api.read({ example: index }), { example: index });
}

export async function openOpened(index) {
  return shelve(await api.read({ opened: index }), { opened: index });
}

/** Files that were dropped or chosen: music, a session, a soundfont. */
export async function openFiles(list) {
  for (const file of list) {
    try {
      await openFile(file);
    } catch (error) {
      complain(error);
    }
  }
}

async function openFile(file) {
  const name = file.name.toLowerCase();
  if (name.endsWith(".sf2")) {
    player.setSoundfont(new SoundFont(await file.arrayBuffer()));
    set((now) => (now.sound.source = "own"));
    return say(`${file.name} is what sounds now.`);
  }
  if (name.endsWith(".json")) {
    let session;
    try {
      session = JSON.parse(await file.text());
    } catch {
      throw new Error(`${file.name} is no session of the studio.`);
    }
    restore(session);
    return say("The session is open.");
  }
  if (doc.tunes.length >= MAX_TUNES) throw new Error(`The shelf is full: it holds ${MAX_TUNES} tunes.`);
  if (file.size > model.limits.upload_bytes) {
    throw new Error(`${file.name} is larger than ${model.limits.upload_bytes / 2 ** 20} MiB.`);
  }
  const bytes = await file.arrayBuffer();
  shelve(await api.read({ file: file.name, bytes }), {}, bytes);
}

export function setUpDrops() {
  let depth = 0;
  const isOurs = (event) => event.dataTransfer.types.includes("Files") || event.dataTransfer.types.includes(TUNE_TYPE);
  addEventListener("dragenter", (event) => {
    if (!isOurs(event)) return;
    depth += 1;
    element("dropper").hidden = !event.dataTransfer.types.includes("Files");
  });
  addEventListener("dragleave", () => {
    depth = Math.max(0, depth - 1);
    if (!depth) element("dropper").hidden = true;
  });
  addEventListener("dragover", (event) => {
    if (isOurs(event)) event.preventDefault();
  });
  addEventListener("drop", (event) => {
    depth = 0;
    element("dropper").hidden = true;
    if (!isOurs(event)) return;
    event.preventDefault();
    const carried = event.dataTransfer.getData(TUNE_TYPE);
    if (carried) {
      const { name, melody, backing } = JSON.parse(carried);
      if (!event.target.closest?.(".shelf")) return;
      return change((now) => now.tunes.push(newTune(name, melody, backing ? { backing } : {})));
    }
    openFiles([...event.dataTransfer.files]);
  });
  element("file-input").onchange = async (event) => {
    const chosen = [...event.target.files];
    event.target.value = "";
    await openFiles(chosen);
  };
  for (const id of ["add-files", "empty-open"]) element(id).onclick = () => element("file-input").click();
  element("try-examples").onclick = async () => {
    try {
      const first = ["twinkle", "ode-to-joy"]; // a walk that everybody knows
      const order = [...first.filter((name) => model.examples.includes(name)), ...model.examples.filter((name) => !first.includes(name))];
      for (const name of order) await openExample(model.examples.indexOf(name));
    } catch (error) {
      complain(error);
    }
  };
}

export function showShelf() {
  const list = element("cards");
  for (const [id, card] of cards) {
    if (!tuneOf(id)) {
      card.node.remove();
      cards.delete(id);
    }
  }
  for (const tune of doc.tunes) {
    if (!cards.has(tune.id)) cards.set(tune.id, new Card(tune.id));
    const card = cards.get(tune.id);
    card.show(tune);
    if (list.children[doc.tunes.indexOf(tune)] !== card.node) list.insertBefore(card.node, list.children[doc.tunes.indexOf(tune)]);
  }
  const there = new Set(doc.tunes.map((tune) => tune.source?.file));
  element("examples").replaceChildren(
    ...model.examples
      .map((name, index) => [name, index])
      .filter(([name]) => !there.has(`${name}.mid`))
      .map(([name, index]) => {
        const chip = Object.assign(document.createElement("button"), { className: "chip", textContent: name.replaceAll("-", " ") });
        chip.onclick = () => openExample(index).catch(complain);
        return chip;
      }),
  );
}

function button(className, symbol, label, act) {
  const made = Object.assign(document.createElement("button"), { className, title: label });
  made.setAttribute("aria-label", label);
  const icon = document.createElementNS("http://www.w3.org/2000/svg", "svg");
  const use = document.createElementNS("http://www.w3.org/2000/svg", "use");
  use.setAttribute("href", symbol);
  icon.append(use);
  made.append(icon);
  made.onclick = act;
  return made;
}

class Card {
  constructor(id) {
    this.id = id;
    this.node = Object.assign(document.createElement("li"), { className: "card", draggable: true });
    this.play = Object.assign(document.createElement("button"), { className: "card-play" });
    const holder = Object.assign(document.createElement("span"), { className: "card-roll" });
    const canvas = document.createElement("canvas");
    holder.append(canvas);
    this.play.append(holder);
    this.name = Object.assign(document.createElement("input"), { className: "card-name", maxLength: 60 });
    this.where = Object.assign(document.createElement("p"), { className: "card-where" });
    this.more = button("icon", "#i-more", "", () => openSheet(this.id));
    this.bin = button("icon", "#i-bin", "", () => this.remove());
    const line = Object.assign(document.createElement("div"), { className: "card-line" });
    line.append(this.name);
    const tools = Object.assign(document.createElement("div"), { className: "card-tools" });
    tools.append(this.more, this.bin);
    this.node.append(this.play, line, this.where, tools);
    this.roll = new Roll(canvas);
    this.play.onclick = () => {
      set((now) => (now.selected = this.id));
      const tune = tuneOf(this.id);
      if (player.playing && player.current?.key === `shelf-${this.id}`) return player.stop();
      const { melody, backing, name, colour } = tune;
      const item = { melody, backing, key: `shelf-${this.id}`, name, get colour() { return tuneColour(colour); } };
      player.play([item], { one: true });
    };
    this.name.onchange = () => {
      const name = this.name.value.trim();
      if (name) change(() => (tuneOf(this.id).name = name));
      else this.name.value = tuneOf(this.id).name;
    };
    offerDrag(this.node, () => tuneOf(this.id) ?? {});
  }

  show(tune) {
    this.node.style.setProperty("--colour", tuneColour(tune.colour));
    this.node.classList.toggle("selected", selected()?.id === tune.id);
    this.node.dataset.tune = tune.name;
    if (document.activeElement !== this.name) this.name.value = tune.name;
    this.name.setAttribute("aria-label", `Name of ${tune.name}`);
    this.play.setAttribute("aria-label", `Play ${tune.name}`);
    this.more.setAttribute("aria-label", `Track and bars of ${tune.name}`);
    this.more.title = "Track and bars";
    this.more.hidden = !tune.source;
    this.bin.setAttribute("aria-label", `Remove ${tune.name}`);
    this.bin.title = "Remove (can be undone)";
    const { source } = tune;
    this.where.hidden = !source;
    if (source) {
      const track = source.tracks?.length > 1 ? `track ${source.track} of ${source.tracks.length}, ` : "";
      const meter = tune.melody.meter.join("/");
      this.where.textContent = `${meter === "4/4" ? "" : `${meter}, `}${track}bars ${source.first_bar}–${source.last_bar} of ${source.bars}${source.edited ? ", edited" : ""}`;
    }
    this.roll.set({ melody: tune.melody, colour: tuneColour(tune.colour), range: pitchRange([tune.melody]) });
  }

  remove() {
    change((now) => (now.tunes = now.tunes.filter((tune) => tune.id !== this.id)));
  }
}

// The sheet: another track, other bars, by looking and listening

async function openSheet(id) {
  const tune = tuneOf(id);
  const origin = originOf(tune);
  const sheet = element("piece-sheet");
  if (!origin) return say("The file of this tune is not here any more; drop it again to choose other bars.", { bad: true });
  let piece;
  const title = Object.assign(document.createElement("h2"), { id: "piece-title", textContent: tune.source.file });
  const why = Object.assign(document.createElement("p"), { className: "said" });
  const overview = Object.assign(document.createElement("div"), { className: "overview", tabIndex: 0 });
  overview.setAttribute("role", "slider");
  overview.setAttribute("aria-label", "First bar that is taken");
  const canvas = document.createElement("canvas");
  const frame = Object.assign(document.createElement("div"), { className: "window" });
  overview.append(canvas, frame);
  const bars = Object.assign(document.createElement("p"), { className: "hint" });
  const taken = Object.assign(document.createElement("div"), { className: "taken" });
  const takenCanvas = document.createElement("canvas");
  taken.append(takenCanvas);
  const tracks = Object.assign(document.createElement("ul"), { className: "tracks" });
  const foot = Object.assign(document.createElement("div"), { className: "sheet-foot" });
  const listen = Object.assign(document.createElement("button"), { className: "button", textContent: "Listen" });
  const use = Object.assign(document.createElement("button"), { className: "button primary", textContent: "Take these bars" });
  const cancel = Object.assign(document.createElement("button"), { className: "button", textContent: "Leave it as it is" });
  foot.append(cancel, listen, use);
  sheet.replaceChildren(title, why, overview, bars, taken, tracks, foot);
  sheet.showModal();
  const whole = new Roll(canvas);
  const window = new Roll(takenCanvas);
  let asked = 0;

  const look = async (choice) => {
    asked += 1;
    const own = asked;
    try {
      const found = await api.read(origin, choice);
      if (own !== asked) return;
      piece = found;
      show();
    } catch (error) {
      complain(error);
    }
  };
  const show = () => {
    const steps = piece.grid_bars * piece.steps_per_bar;
    const melody = { ...piece.melody, notes: piece.overview, length_steps: steps };
    whole.options = { melody, steps, colour: tuneColour(tune.colour), range: pitchRange([melody]) };
    whole.paint();
    const length = piece.melody.length_steps / piece.steps_per_bar;
    frame.style.left = `${(100 * piece.grid_bar) / piece.grid_bars}%`;
    frame.style.width = `${Math.min(100 - (100 * piece.grid_bar) / piece.grid_bars, (100 * length) / piece.grid_bars)}%`;
    why.textContent = [piece.why, piece.description, piece.loss].filter(Boolean).map((text) => `${sentence(text)}.`).join(" ");
    const chosen = [piece.reason, piece.note].filter(Boolean).join("; ");
    bars.textContent = `Bars ${piece.first_bar} to ${piece.last_bar} of ${piece.bars} are taken${chosen ? `: ${chosen}` : ""}.`;
    overview.setAttribute("aria-valuemin", 1);
    overview.setAttribute("aria-valuemax", piece.bars);
    overview.setAttribute("aria-valuenow", piece.first_bar);
    window.options = { melody: piece.melody, colour: tuneColour(tune.colour), range: pitchRange([piece.melody]) };
    window.paint();
    if (tracks.dataset.track !== String(piece.track)) showTracks();
    if (player.playing && player.current?.key === "sheet") hear();
  };
  const showTracks = () => {
    tracks.dataset.track = String(piece.track);
    tracks.replaceChildren(
      ...piece.tracks.map((track) => {
        const item = document.createElement("li");
        const label = document.createElement("label");
        const radio = Object.assign(document.createElement("input"), { type: "radio", name: "track", checked: track.number === piece.track, disabled: track.drums });
        radio.onchange = () => look({ track: track.number });
        const name = Object.assign(document.createElement("span"), { className: "name", textContent: `${track.number}  ${track.name || "no name"}` });
        const notes = Object.assign(document.createElement("small"), { textContent: track.drums ? "drums" : `${track.notes} notes, ${spokenPitch(track.lowest)} to ${spokenPitch(track.highest)}` });
        const score = Object.assign(document.createElement("small"), { textContent: track.score === null ? "" : `melody score ${track.score.toFixed(1)}` });
        label.append(radio, name, notes, score);
        item.append(label);
        return item;
      }),
    );
  };
  const hear = () => player.play([{ melody: piece.melody, key: "sheet", name: tune.name, colour: tuneColour(tune.colour) }], { one: true });
  const barAt = (event) => {
    const box = overview.getBoundingClientRect();
    const length = piece.melody.length_steps / piece.steps_per_bar;
    const grid = Math.round(((event.clientX - box.left) / box.width) * piece.grid_bars - length / 2);
    return piece.bar_of_grid[Math.max(0, Math.min(grid, piece.bar_of_grid.length - 1))];
  };
  let last = 0;
  overview.onpointerdown = (event) => {
    if (!piece) return;
    overview.setPointerCapture(event.pointerId);
    last = 0;
    overview.onpointermove(event);
  };
  overview.onpointermove = (event) => {
    if (!piece || !overview.hasPointerCapture?.(event.pointerId)) return;
    const bar = barAt(event);
    if (bar !== last) look({ track: piece.track, bar });
    last = bar;
  };
  overview.onkeydown = (event) => {
    const move = { ArrowLeft: -1, ArrowRight: 1, ArrowUp: 1, ArrowDown: -1 }[event.key];
    if (!move || !piece) return;
    event.preventDefault();
    const bar = Math.max(1, Math.min(piece.bars, piece.first_bar + move));
    look({ track: piece.track, bar });
  };
  listen.onclick = () => (player.playing && player.current?.key === "sheet" ? player.stop() : hear());
  cancel.onclick = () => sheet.close();
  use.onclick = () => {
    change((now) => {
      const own = now.tunes.find((one) => one.id === id);
      const { example, opened } = own.source;
      own.melody = piece.melody;
      own.name = own.name === nameOf({ ...own.source, name: own.source.name }) ? nameOf(piece) : own.name;
      own.source = sourceOf(piece, { ...(example !== undefined ? { example } : {}), ...(opened !== undefined ? { opened } : {}) });
    });
    sheet.close();
  };
  sheet.onclose = () => {
    if (player.current?.key === "sheet") player.stop();
  };
  await look({ track: tune.source.track, bar: tune.source.first_bar });
}
