// Piano rolls on canvas: notes, bars, a playhead, and what a mode wants to show besides.

const BLACK_KEYS = new Set([1, 3, 6, 8, 10]);
const NAMES = ["C", "C♯", "D", "E♭", "E", "F", "F♯", "G", "A♭", "A", "B♭", "B"];
const PLAIN_NAMES = ["C", "C sharp", "D", "E flat", "E", "F", "F sharp", "G", "A flat", "A", "B flat", "B"];
const MIN_SPAN = 13; // semitones

export const pitchName = (pitch) => `${NAMES[pitch % 12]}${Math.floor(pitch / 12) - 1}`;
export const spokenPitch = (pitch) => `${PLAIN_NAMES[pitch % 12]} ${Math.floor(pitch / 12) - 1}`;

/** Lowest and highest pitch to show for some melodies, at least an octave apart. */
export function pitchRange(melodies, margin = 1) {
  const pitches = melodies.flatMap((melody) => melody.notes.map((note) => note[2]));
  let low = Math.min(...(pitches.length ? pitches : [60])) - margin;
  let high = Math.max(...(pitches.length ? pitches : [72])) + margin;
  while (high - low < MIN_SPAN) {
    low -= 1;
    if (high - low < MIN_SPAN) high += 1;
  }
  return [low, high];
}

export function describe(melody) {
  if (!melody.notes.length) return "no notes";
  const pitches = melody.notes.map((note) => note[2]);
  const count = melody.notes.length;
  const [low, high] = [Math.min(...pitches), Math.max(...pitches)];
  return `${count} ${count === 1 ? "note" : "notes"} from ${spokenPitch(low)} to ${spokenPitch(high)}`;
}

const parsed = new Map();

/** Red, green and blue of a CSS colour in hex. */
function rgb(hex) {
  if (!parsed.has(hex)) {
    const digits = hex.trim().slice(1);
    const long = digits.length === 3 ? [...digits].map((digit) => digit + digit).join("") : digits;
    parsed.set(hex, [0, 2, 4].map((place) => parseInt(long.slice(place, place + 2), 16)));
  }
  return parsed.get(hex);
}

/** Colours mixed by weight, in squared light so that the middle is not dull. */
export function mix(colours, weights) {
  const total = weights.reduce((sum, weight) => sum + weight, 0) || 1;
  const parts = colours.map(rgb);
  const mixed = [0, 1, 2].map((channel) =>
    Math.round(Math.sqrt(parts.reduce((sum, part, index) => sum + weights[index] * part[channel] ** 2, 0) / total)),
  );
  return `rgb(${mixed.join(",")})`;
}

export const css = (name) => getComputedStyle(document.documentElement).getPropertyValue(name).trim();

let theme = {};
export function readTheme() {
  theme = Object.fromEntries(
    ["ink", "roll", "roll-black", "line", "line-bar", "playhead", "doubt", "surface"].map((name) => [name, css(`--${name}`)]),
  );
  theme.tunes = [...Array(8).keys()].map((index) => css(`--tune-${index}`));
}
export const tuneColour = (index) => theme.tunes[index % 8];

const rolls = new Map();
const sizes = new ResizeObserver((entries) => entries.forEach(({ target }) => rolls.get(target)?.paint()));

export function repaintAll() {
  for (const [canvas, roll] of rolls) {
    if (canvas.isConnected) roll.paint();
    else {
      sizes.unobserve(canvas);
      rolls.delete(canvas);
    }
  }
}

/** A melody on a canvas. Options: melody, range, colour, playStep, ghost, hidden (bars), doubts, cursor, keys (width). */
export class Roll {
  constructor(canvas, options = {}) {
    this.canvas = canvas;
    this.options = options;
    rolls.set(canvas, this);
    sizes.observe(canvas);
    this.paint();
  }

  set(options) {
    Object.assign(this.options, options);
    this.paint();
  }

  get steps() {
    return this.options.steps ?? this.options.melody?.length_steps ?? 32;
  }

  get range() {
    return this.options.range ?? pitchRange([this.options.melody ?? { notes: [] }]);
  }

  get barSteps() {
    const melody = this.options.melody;
    return melody ? (4 * melody.meter[0] * melody.steps_per_quarter) / melody.meter[1] : 16;
  }

  /** Step (not whole) and pitch at a place on the canvas, in CSS pixels. */
  at(x, y) {
    const keys = this.options.keys ?? 0;
    const [low, high] = this.range;
    const row = this.height / (high - low + 1);
    return { step: ((x - keys) / (this.width - keys)) * this.steps, pitch: high - Math.floor(y / row), inKeys: x < keys };
  }

  paint() {
    const { canvas, options } = this;
    const box = canvas.getBoundingClientRect();
    this.width = box.width;
    this.height = box.height;
    if (!box.width || !box.height) return;
    const ratio = window.devicePixelRatio || 1;
    const [wide, high] = [Math.round(box.width * ratio), Math.round(box.height * ratio)];
    if (canvas.width !== wide || canvas.height !== high) Object.assign(canvas, { width: wide, height: high });
    const pen = canvas.getContext("2d");
    pen.setTransform(ratio, 0, 0, ratio, 0, 0);
    pen.clearRect(0, 0, box.width, box.height);
    this.drawGrid(pen);
    if (options.ghost) this.drawNotes(pen, options.ghost, { ghost: true });
    if (options.melody) this.drawNotes(pen, options.melody, {});
    this.drawHidden(pen);
    if (options.keys) this.drawKeys(pen);
    if (options.cursor) this.drawCursor(pen);
    this.drawPlayhead(pen);
  }

  x(step) {
    const keys = this.options.keys ?? 0;
    return keys + (step / this.steps) * (this.width - keys);
  }

  y(pitch) {
    const [low, high] = this.range;
    return ((high - pitch) / (high - low + 1)) * this.height;
  }

  drawGrid(pen) {
    const [low, high] = this.range;
    const row = this.height / (high - low + 1);
    const left = this.options.keys ?? 0;
    pen.fillStyle = theme.roll;
    pen.fillRect(0, 0, this.width, this.height);
    pen.fillStyle = theme["roll-black"];
    for (let pitch = low; pitch <= high; pitch += 1) {
      if (BLACK_KEYS.has(((pitch % 12) + 12) % 12)) pen.fillRect(left, this.y(pitch), this.width - left, row);
    }
    const beat = this.options.melody?.steps_per_quarter ?? 4;
    const fine = this.options.fine && this.width / this.steps > 9;
    for (let step = fine ? 1 : beat; step < this.steps; step += fine ? 1 : beat) {
      pen.fillStyle = step % this.barSteps === 0 ? theme["line-bar"] : theme.line;
      pen.globalAlpha = step % beat === 0 ? 1 : 0.35;
      pen.fillRect(Math.round(this.x(step)), 0, 1, this.height);
    }
    pen.globalAlpha = 1;
  }

  drawNotes(pen, melody, { ghost }) {
    const { colour, playStep, doubts } = this.options;
    const [low, high] = this.range;
    const row = this.height / (high - low + 1);
    const tall = Math.max(Math.min(6, this.height / 8), Math.min(row * 0.92, 26));
    const same = ghost ? new Set(this.options.melody?.notes.map((note) => note.slice(0, 3).join())) : null;
    for (const [start, end, pitch] of melody.notes) {
      if (same?.has([start, end, pitch].join())) continue;
      const left = this.x(start) + 0.5;
      const wide = Math.max(2, this.x(end) - this.x(start) - 1.5);
      const top = this.y(pitch) + (row - tall) / 2;
      const round = Math.min(tall / 2, 4, wide / 2);
      pen.beginPath();
      const inset = ghost ? 1 : 0; // so that a note over it covers it
      pen.roundRect(left + inset, top + inset, Math.max(1, wide - 2 * inset), tall - 2 * inset, round);
      if (ghost) {
        pen.strokeStyle = theme.ink;
        pen.globalAlpha = 0.55;
        pen.setLineDash([3, 3]);
        pen.stroke();
        pen.setLineDash([]);
        pen.globalAlpha = 1;
        continue;
      }
      const doubt = doubts?.find((one) => one.doubtful && one.start === start && one.pitch === pitch);
      const sounds = playStep !== undefined && playStep >= start && playStep < end;
      pen.fillStyle = colour ?? theme.tunes[0];
      if (sounds) {
        pen.shadowColor = colour ?? theme.tunes[0];
        pen.shadowBlur = 14;
      }
      pen.fill();
      pen.shadowBlur = 0;
      if (sounds) {
        pen.fillStyle = theme.playhead;
        pen.globalAlpha = 0.55;
        pen.fill();
        pen.globalAlpha = 1;
      }
      if (doubt) {
        pen.fillStyle = theme.doubt;
        pen.fill();
        pen.fillStyle = theme.surface;
        pen.font = `700 ${Math.min(tall, 14)}px system-ui`;
        pen.fillText("?", left + 3, top + tall - tall * 0.16);
      }
    }
  }

  drawHidden(pen) {
    for (const bar of this.options.hidden ?? []) {
      const [left, right] = [this.x(bar * this.barSteps), this.x((bar + 1) * this.barSteps)];
      pen.fillStyle = theme.surface;
      pen.globalAlpha = 0.86;
      pen.fillRect(left, 0, right - left, this.height);
      pen.globalAlpha = 0.4;
      pen.strokeStyle = theme.ink;
      pen.save();
      pen.beginPath();
      pen.rect(left, 0, right - left, this.height);
      pen.clip();
      pen.beginPath();
      for (let x = left - this.height; x < right; x += 14) {
        pen.moveTo(x, this.height);
        pen.lineTo(x + this.height, 0);
      }
      pen.stroke();
      pen.restore();
      pen.globalAlpha = 1;
    }
  }

  drawKeys(pen) {
    const [low, high] = this.range;
    const row = this.height / (high - low + 1);
    const wide = this.options.keys - 4;
    pen.font = "600 10px system-ui";
    pen.fillStyle = "#f3f1ec";
    pen.fillRect(0, 0, wide, this.height);
    for (let pitch = low; pitch <= high; pitch += 1) {
      const black = BLACK_KEYS.has(pitch % 12);
      // White keys meet in the middle of the black one between them; E and B meet F and C at the row's edge.
      pen.fillStyle = "#b9b5aa";
      if (black) pen.fillRect(0, this.y(pitch) + row / 2, wide, 1);
      else if (pitch % 12 === 5 || pitch % 12 === 0) pen.fillRect(0, this.y(pitch) + row - 0.5, wide, 1);
      pen.fillStyle = "#23262f";
      if (black) pen.fillRect(0, this.y(pitch) + 1, wide * 0.62, row - 2);
      if (pitch % 12 === 0 && row > 7) {
        pen.fillStyle = "#4a4d57";
        pen.fillText(pitchName(pitch), wide - 21, this.y(pitch) + row * 0.5 + 3.5);
      }
    }
  }

  drawCursor(pen) {
    const { step, pitch } = this.options.cursor;
    const [low, high] = this.range;
    const row = this.height / (high - low + 1);
    pen.strokeStyle = theme.playhead;
    pen.lineWidth = 2;
    pen.strokeRect(this.x(step), this.y(pitch), this.x(step + 1) - this.x(step), row);
    pen.lineWidth = 1;
  }

  drawPlayhead(pen) {
    const { playAt } = this.options;
    if (playAt === undefined || playAt === null) return;
    pen.fillStyle = theme.playhead;
    pen.fillRect(Math.round(this.x(playAt)) - 1, 0, 2, this.height);
  }
}
