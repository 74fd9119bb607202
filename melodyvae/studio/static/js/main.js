// The studio: everything is set up here, and shown anew whenever something changes.

import * as api from "./api.js";
import {
  complain,
  currentLane,
  element,
  fillTunes,
  model,
  paintPlayheads,
  player,
  recolourLanes,
  refreshCommand,
  say,
  visibleLanes,
} from "./app.js";
import { paintDrawPlayhead, setUpDraw, showDraw } from "./draw.js";
import { setUpFresh, showFresh } from "./fresh.js";
import * as midiOut from "./midi-out.js";
import { recolourPad, setUpPad, showPad } from "./pad.js";
import { Roll, mix, pitchRange, readTheme, repaintAll, tuneColour } from "./roll.js";
import { setUpShape, showShape } from "./shape.js";
import { openOpened, setUpDrops, showShelf } from "./shelf.js";
import { SoundFont } from "./soundfont.js";
import * as store from "./store.js";
import { download, saveZip } from "./take.js";
import { recolourWalk, setUpWalk, showWalk } from "./walk.js";

const { doc } = store;
const MODES = ["walk", "pad", "shape", "draw", "fresh"];
const INSTRUMENTS = [
  ["Grand piano", 0], ["Electric piano", 4], ["Music box", 10], ["Vibraphone", 11], ["Marimba", 12], ["Church organ", 19],
  ["Accordion", 21], ["Nylon guitar", 24], ["Jazz guitar", 26], ["Bass", 32], ["Violin", 40], ["Cello", 42], ["Harp", 46],
  ["Strings", 48], ["Choir", 52], ["Trumpet", 56], ["French horn", 60], ["Saxophone", 65], ["Oboe", 68], ["Clarinet", 71],
  ["Flute", 73], ["Recorder", 74], ["Whistle", 78], ["Square lead", 80], ["Warm pad", 89], ["Kalimba", 108],
];
const DEFAULT_SOUND = { name: "soundfont" };
const isDark = matchMedia("(prefers-color-scheme: dark)");
let now = null;

function setUpTheme() {
  const apply = () => {
    const dark = doc.theme === "auto" ? isDark.matches : doc.theme === "dark";
    document.documentElement.dataset.theme = dark ? "dark" : "light";
    readTheme();
    recolourLanes();
    recolourWalk();
    recolourPad();
    if (player.current) now.set({ colour: player.current.colour });
    drawEmpty();
    repaintAll();
    store.changed(); // whatever else is coloured by tune
  };
  element("theme").onclick = () => {
    const shown = document.documentElement.dataset.theme;
    doc.theme = shown === "dark" ? "light" : "dark";
    apply();
  };
  isDark.addEventListener("change", apply);
  return apply;
}

function setUpTabs() {
  const tabs = [...document.querySelectorAll("[data-mode]")];
  for (const tab of tabs) {
    tab.onclick = () => setMode(tab.dataset.mode);
    tab.onkeydown = (event) => {
      const move = { ArrowLeft: -1, ArrowRight: 1 }[event.key];
      if (!move) return;
      event.preventDefault();
      event.stopPropagation();
      const next = tabs[(tabs.indexOf(tab) + move + tabs.length) % tabs.length];
      setMode(next.dataset.mode);
      next.focus();
    };
  }
}

function setMode(mode) {
  if (mode === doc.mode) return;
  document.querySelector(".stage").scrollTop = 0;
  store.set(() => (doc.mode = mode));
}

function showMode() {
  const empty = !doc.tunes.length && doc.mode !== "fresh" && doc.mode !== "draw";
  element("empty").hidden = !empty;
  for (const mode of MODES) {
    const tab = element(`tab-${mode}`);
    tab.setAttribute("aria-selected", mode === doc.mode);
    tab.tabIndex = mode === doc.mode ? 0 : -1;
    element(`panel-${mode}`).hidden = mode !== doc.mode || empty;
  }
  for (const select of document.querySelectorAll("[data-selected]")) fillTunes(select, store.selected()?.id);
  refreshCommand();
}

function setUpDock() {
  now = new Roll(element("now-roll"));
  element("play").onclick = togglePlay;
  element("loop").onclick = () => store.set(() => (doc.sound.loop = !doc.sound.loop));
  element("metronome").onclick = () => store.set(() => (doc.sound.metronome = !doc.sound.metronome));
  element("tempo").onchange = (event) => {
    const tempo = Math.max(30, Math.min(300, Number(event.target.value) || 0));
    store.set(() => (doc.sound.tempo = event.target.value ? tempo : 0));
  };
  element("tempo-auto").onclick = (event) => {
    event.preventDefault();
    store.set(() => (doc.sound.tempo = doc.sound.tempo ? 0 : Math.round(player.current?.melody?.quarters_per_minute ?? 120)));
  };
  const sound = element("instrument");
  sound.replaceChildren(new Option("each its own", -1), ...INSTRUMENTS.map(([name, program]) => new Option(name, program)));
  sound.append(new Option("no samples: synthesiser", "synth"), new Option("soundfont again", "soundfont"));
  sound.onchange = () => {
    if (sound.value === "synth" || sound.value === "soundfont") {
      store.set(() => (doc.sound.source = sound.value));
      useSource();
      sound.value = doc.sound.instrument;
    } else store.set(() => (doc.sound.instrument = Number(sound.value)));
  };
  element("volume").oninput = (event) => {
    player.setVolume(Number(event.target.value));
    store.set(() => (doc.sound.volume = Number(event.target.value)));
  };
  player.watch(showDock);
}

function showDock() {
  const { sound } = doc;
  const playing = player.playing;
  element("play").setAttribute("aria-label", playing ? "Stop" : "Play");
  element("play").querySelector("use").setAttribute("href", playing ? "#i-stop" : "#i-play");
  element("loop").setAttribute("aria-pressed", sound.loop);
  element("metronome").setAttribute("aria-pressed", sound.metronome);
  element("tempo-auto").setAttribute("aria-pressed", !sound.tempo);
  const own = Math.round(player.current?.melody?.quarters_per_minute ?? 120);
  if (document.activeElement !== element("tempo")) element("tempo").value = sound.tempo || own;
  element("instrument").value = sound.instrument;
  element("volume").value = sound.volume;
  element("undo").disabled = !store.canUndo();
  element("redo").disabled = !store.canRedo();
  document.body.classList.toggle("playing", playing);
}

/** Play what was played last, or what the mode is about. */
function togglePlay() {
  if (player.playing) return player.stop();
  const inMode = { walk: "walk-", pad: "pad", shape: "shape-", draw: "draw", fresh: "fresh-" }[doc.mode];
  if (player.current && (player.current.key.startsWith(inMode) || player.current.key.startsWith("shelf-"))) return player.toggle();
  const button = { walk: "walk-play", pad: "pad-play", draw: "draw-play" }[doc.mode];
  if (button) return element(button).click();
  visibleLanes().at(doc.mode === "shape" ? 1 : 0)?.play();
}

async function useSource() {
  if (doc.sound.source === "synth") return player.setSoundfont(null);
  try {
    DEFAULT_SOUND.font ??= new SoundFont(await api.soundfont());
    if (doc.sound.source === "soundfont") player.setSoundfont(DEFAULT_SOUND.font);
  } catch (error) {
    console.info(`No soundfont, so the synthesiser plays: ${error.message}`);
  }
}

function setUpOut() {
  const menu = element("out-menu");
  element("save-zip").onclick = () => {
    menu.open = false;
    const tunes = doc.tunes;
    if (!tunes.length) return say("There is no tune on the shelf yet.");
    saveZip(tunes, "melodyvae tunes").catch(complain);
  };
  element("save-session").onclick = () => {
    menu.open = false;
    download(new Blob([JSON.stringify(store.serialise())], { type: "application/json" }), "melodyvae session.json");
  };
  element("connect-midi").onclick = async () => {
    if (!midiOut.isThere()) return say("This browser has no Web MIDI; Chrome, Edge and Firefox have.", { bad: true });
    try {
      const ports = await midiOut.ports();
      if (!ports.length) return say("No MIDI port is there: connect a synthesiser, or make a virtual port for your DAW.", { bad: true });
      const select = element("midi-port");
      select.replaceChildren(new Option("none", ""), ...ports.map((port) => new Option(port.name, port.id)));
      select.onchange = () => {
        player.midi?.silence();
        const port = ports.find((one) => one.id === select.value);
        player.midi = port ? new midiOut.MidiOut(port) : null;
      };
      select.value = ports[0].id;
      select.onchange();
      element("midi-port-field").hidden = false;
    } catch (error) {
      say(`The browser gives no MIDI port: ${error.message}`, { bad: true });
    }
  };
  element("shell-copy").onclick = async () => {
    const text = element("shell-line").textContent;
    try {
      await navigator.clipboard.writeText(text);
      say("The command is copied.");
    } catch {
      getSelection().selectAllChildren(element("shell-line"));
      say("The command is selected; copy it with Ctrl+C.");
    }
  };
  addEventListener("pointerdown", (event) => {
    for (const open of document.querySelectorAll("details.menu[open]")) if (!open.contains(event.target)) open.open = false;
  });
}

function setUpKeys() {
  element("undo").onclick = store.undo;
  element("redo").onclick = store.redo;
  element("help").onclick = () => element("help-sheet").showModal();
  addEventListener("keydown", (event) => {
    const typing = event.target.matches?.("input:not([type=range]):not([type=radio]), textarea, select");
    const command = event.ctrlKey || event.metaKey;
    if (command && event.key.toLowerCase() === "z" && !typing) {
      event.preventDefault();
      return event.shiftKey ? store.redo() : store.undo();
    }
    if (command && event.key.toLowerCase() === "y" && !typing) {
      event.preventDefault();
      return store.redo();
    }
    if (typing || command || event.altKey || document.querySelector("dialog[open]")) return;
    const onButton = event.target.matches?.("button, summary, input");
    if (event.key === " " && !onButton) {
      event.preventDefault();
      togglePlay();
    } else if (event.key === "ArrowDown" || event.key === "ArrowUp") {
      if (event.target.matches?.("input")) return;
      const lanes = visibleLanes();
      if (!lanes.length) return;
      event.preventDefault();
      const from = lanes.findIndex((lane) => lane.node.contains(document.activeElement) || lane === currentLane());
      const lane = lanes[Math.max(0, Math.min(lanes.length - 1, from + (event.key === "ArrowDown" ? 1 : -1)))];
      lane.button.focus();
      lane.play();
    } else if (/^[1-5]$/.test(event.key)) setMode(MODES[event.key - 1]);
    else if (event.key === "?") element("help-sheet").showModal();
    else if (event.key.toLowerCase() === "k") currentLane()?.keep();
    else if (event.key.toLowerCase() === "l") element("loop").click();
    else if (event.key.toLowerCase() === "m") element("metronome").click();
    else if (event.key === "Escape") player.stop();
  });
}

function frame() {
  const heard = paintPlayheads();
  paintDrawPlayhead(heard);
  const item = heard?.item;
  const melody = item?.melody;
  if (melody) {
    now.options = { melody, range: pitchRange([melody]), colour: item.colour, playAt: heard.step, playStep: heard.step };
    now.paint();
    if (element("now-name").textContent !== item.name) element("now-name").textContent = item.name;
  } else if (now.options.playAt !== undefined) now.set({ playAt: undefined, playStep: undefined });
  requestAnimationFrame(frame);
}

/** A walk of small bars behind the first words. */
function drawEmpty() {
  const tunes = [
    [[0, 4, 60], [4, 8, 60], [8, 12, 67], [12, 16, 67], [16, 20, 69], [20, 24, 69], [24, 32, 67]],
    [[0, 4, 60], [4, 8, 62], [8, 12, 67], [12, 16, 67], [16, 20, 69], [20, 24, 67], [24, 32, 65]],
    [[0, 4, 64], [4, 8, 62], [8, 12, 65], [12, 16, 67], [16, 20, 67], [20, 24, 65], [24, 28, 64], [28, 32, 62]],
    [[0, 4, 64], [4, 8, 64], [8, 12, 65], [12, 16, 67], [16, 20, 67], [20, 24, 65], [24, 28, 64], [28, 32, 62]],
  ];
  const ends = [tuneColour(0), tuneColour(1)];
  [...document.querySelectorAll(".empty-rolls canvas")].forEach((canvas, index) => {
    const melody = { notes: tunes[index], length_steps: 32, steps_per_quarter: 4, meter: [4, 4] };
    new Roll(canvas, { melody, range: [58, 71], colour: mix(ends, [3 - index, index]) });
  });
}

async function start() {
  const applyTheme = setUpTheme();
  document.documentElement.dataset.theme = isDark.matches ? "dark" : "light";
  readTheme();
  let found;
  try {
    found = await api.state();
  } catch (error) {
    return complain(error);
  }
  Object.assign(model, found.model, { examples: found.examples, limits: found.limits });
  element("about").textContent = `melodyvae ${found.version}, ${model.chooses ? "models by purpose" : `model ${model.name}: ${model.bars} bars of ${model.meter.join("/")}`}. Everything stays on this machine.`;
  setUpTabs();
  setUpDock();
  setUpDrops();
  setUpWalk();
  setUpPad();
  setUpShape();
  setUpDraw();
  setUpFresh();
  setUpOut();
  setUpKeys();
  for (const select of document.querySelectorAll("[data-selected]")) {
    select.onchange = () => store.set(() => (doc.selected = select.value));
  }
  store.watch(() => {
    showMode();
    showShelf();
    showWalk();
    showPad();
    showShape();
    showDraw();
    showFresh();
    showDock();
  });
  const restored = await store.open();
  applyTheme();
  if (!restored) {
    for (let index = 0; index < found.opened.length; index += 1) await openOpened(index).catch(complain);
  }
  useSource();
  requestAnimationFrame(frame);
  document.documentElement.dataset.ready = "yes";
}

start();
