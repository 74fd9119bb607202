// Plays melodies in time: a timer looks a little ahead and gives notes with their exact times to what sounds.
//
// The two clocks are those of "A Tale of Two Clocks" (Wilson, 2013), https://web.dev/articles/audio-scheduling. What
// is played is asked for at every step, so that the pad can change it without a gap.

import { DRUMS, Synth, click } from "./synth.js";

const AHEAD_SECONDS = 0.12;
const START_SECONDS = 0.06;
const HISTORY = 64;
const UNDER = 0.75; // how loud what plays under the melody is, of what its file says
const DRUM_CHANNEL = 9;

/** Everything between the notes and the loudspeaker, in one context; live or offline. */
export class Output {
  constructor(context) {
    this.context = context;
    this.volume = context.createGain();
    const limiter = new DynamicsCompressorNode(context, { threshold: -10, ratio: 8, attack: 0.002, release: 0.15, knee: 8 });
    // A small room: the same sound a little later, softer and darker.
    const room = new DelayNode(context, { delayTime: 0.071 });
    const back = new GainNode(context, { gain: 0.32 });
    const dark = new BiquadFilterNode(context, { type: "lowpass", frequency: 2600 });
    const wet = new GainNode(context, { gain: 0.16 });
    this.volume.connect(limiter).connect(context.destination);
    this.volume.connect(room).connect(dark).connect(wet).connect(limiter);
    dark.connect(back).connect(room);
    this.synth = new Synth();
    this.soundfont = null;
    this.last = null;
    this.backing = []; // what plays under the melody: {end, release} of each note
  }

  get voice() {
    return this.soundfont ?? this.synth;
  }

  note(time, pitch, velocity, duration, program) {
    this.last?.release(time); // one voice: a new note ends what still sounds
    this.last = this.voice.play(this.context, this.volume, { time, pitch, velocity, program });
    this.last.release(time + duration);
  }

  /** A note under the melody; many may sound at once. */
  under(time, pitch, velocity, duration, program) {
    const now = this.context.currentTime;
    this.backing = this.backing.filter((note) => note.end > now);
    const note = this.voice.play(this.context, this.volume, { time, pitch, velocity, program });
    note.release(time + duration);
    this.backing.push({ end: time + duration, release: note.release });
  }

  click(time, accented) {
    click(this.context, this.volume, time, accented);
  }

  silence() {
    this.last?.release(this.context.currentTime);
    this.last = null;
    const now = this.context.currentTime;
    for (const note of this.backing) if (note.end > now) note.release(now);
    this.backing = [];
  }
}

/** Notes of a melody that begin at a step. */
const onsets = (melody, step) => melody.notes.filter((note) => note[0] === step);

const sorted = new WeakMap();

/** The notes of what plays under a melody, by the step in which they begin; times in steps. */
function backingAt(backing, perQuarter, step) {
  if (!backing?.length) return [];
  if (!sorted.has(backing)) {
    const steps = new Map();
    backing.forEach(({ notes, program, drums, volume }, part) => {
      for (const [start, end, pitch, velocity] of notes) {
        const at = Math.floor(start * perQuarter + 1e-6);
        const loudness = Math.max(1, Math.min(127, Math.round((UNDER * velocity * (volume ?? 100)) / 100)));
        const note = { start: start * perQuarter, length: (end - start) * perQuarter, pitch, velocity: loudness, program, drums, part };
        steps.set(at, [...(steps.get(at) ?? []), note]);
      }
    });
    sorted.set(backing, steps);
  }
  return sorted.get(backing).get(step) ?? [];
}

export class Player {
  /** `settings()` gives loop, metronome, tempo (0: each tune's own), instrument (-1: each tune's own) and volume. */
  constructor(settings) {
    this.settings = settings;
    this.queue = [];
    this.index = 0;
    this.step = 0;
    this.playing = false;
    this.history = [];
    this.watchers = new Set();
    this.onStep = null;
    this.midi = null;
  }

  /** The live context, made at the first sound: browsers want a gesture before. */
  output() {
    if (!this.live) {
      this.live = new Output(new AudioContext({ latencyHint: "interactive" }));
      this.live.volume.gain.value = this.settings().volume;
      this.live.soundfont = this.soundfont ?? null;
      this.clock = new Worker(new URL("./clock.js", import.meta.url));
      this.clock.onmessage = () => this.tick();
    }
    return this.live;
  }

  setSoundfont(soundfont) {
    this.soundfont = soundfont;
    if (this.live) this.live.soundfont = soundfont;
  }

  setVolume(volume) {
    this.live?.volume.gain.setTargetAtTime(volume, this.live.context.currentTime, 0.02);
  }

  /** Play `queue`: [{melody | get melody(), key, name, colour}], from `index` on. `once` plays that one only, in a loop. */
  async play(queue, { index = 0, one = false } = {}) {
    const output = this.output();
    output.silence();
    this.queue = queue;
    this.one = one;
    this.index = index;
    this.step = 0;
    this.playing = true;
    this.history = [];
    this.tell();
    if (output.context.state !== "running") await output.context.resume();
    this.next = output.context.currentTime + START_SECONDS;
    this.tick();
  }

  stop() {
    this.playing = false;
    this.live?.silence();
    this.midi?.silence();
    this.history = [];
    this.tell();
  }

  toggle() {
    if (this.playing) this.stop();
    else if (this.queue.length) this.play(this.queue, { index: this.index, one: this.one });
  }

  get current() {
    return this.queue[this.index] ?? null;
  }

  watch(watcher) {
    this.watchers.add(watcher);
  }

  tell() {
    for (const watcher of this.watchers) watcher();
  }

  tick() {
    if (!this.playing || this.next === undefined) return;
    const { context } = this.live;
    if (this.next < context.currentTime - 0.5) this.next = context.currentTime + START_SECONDS; // the machine slept
    while (this.playing && this.next < context.currentTime + AHEAD_SECONDS) this.schedule();
  }

  schedule() {
    const settings = this.settings();
    const item = this.queue[this.index];
    const melody = item?.melody;
    if (!melody) return this.stop();
    const tempo = settings.tempo || melody.quarters_per_minute;
    const duration = 60 / (tempo * melody.steps_per_quarter);
    const program = settings.instrument >= 0 ? settings.instrument : melody.program;
    for (const [start, end, pitch, velocity] of onsets(melody, this.step)) {
      this.live.note(this.next, pitch, velocity ?? 80, (end - start) * duration, program);
      this.midi?.note(this.next, pitch, velocity ?? 80, (end - start) * duration, program, this.live.context);
    }
    for (const note of backingAt(item.backing, melody.steps_per_quarter, this.step)) {
      const at = this.next + Math.max(0, note.start - this.step) * duration;
      const own = note.drums ? DRUMS + note.program : note.program;
      this.live.under(at, note.pitch, note.velocity, note.length * duration, own);
      const channel = note.drums ? DRUM_CHANNEL : 1 + (note.part % (DRUM_CHANNEL - 1));
      this.midi?.note(at, note.pitch, note.velocity, note.length * duration, note.program, this.live.context, channel);
    }
    if (settings.metronome && this.step % melody.steps_per_quarter === 0) {
      const barSteps = (4 * melody.meter[0] * melody.steps_per_quarter) / melody.meter[1];
      this.live.click(this.next, this.step % barSteps === 0);
    }
    this.history.push({ time: this.next, index: this.index, step: this.step, duration });
    if (this.history.length > HISTORY) this.history.shift();
    this.onStep?.(item, this.step);
    this.next += duration;
    this.step += 1;
    if (this.step >= melody.length_steps) this.turn(settings);
  }

  turn(settings) {
    this.step = 0;
    if (this.one) {
      if (!settings.loop) this.finish();
      return;
    }
    this.index += 1;
    if (this.index >= this.queue.length) {
      this.index = 0;
      if (!settings.loop) this.finish();
    }
  }

  finish() {
    const rest = Math.max(0, this.next - this.live.context.currentTime);
    this.playing = false;
    setTimeout(() => {
      if (!this.playing) this.stop();
    }, 1000 * rest + 50);
  }

  /** What is heard now: {index, item, step} with a fraction, or null. */
  heard() {
    if (!this.live || !this.history.length) return null;
    const { context } = this.live;
    const now = context.currentTime - (context.outputLatency || 0);
    let found = null;
    for (const entry of this.history) if (entry.time <= now) found = entry;
    if (!found) return null;
    const share = Math.min((now - found.time) / found.duration, 1);
    return { index: found.index, item: this.queue[found.index], step: found.step + share };
  }
}

/** The samples of melodies in a row, by an offline context: {samples, rate}; for tests, and for what wants sound as data. */
export async function render(melodies, { soundfont = null, program = 0, rate = 22050, metronome = false, backings = [] } = {}) {
  const lengths = melodies.map((melody) => (60 * melody.length_steps) / (melody.quarters_per_minute * melody.steps_per_quarter));
  const whole = lengths.reduce((sum, length) => sum + length, 0) + 0.5;
  const context = new OfflineAudioContext(1, Math.ceil(whole * rate), rate);
  const output = new Output(context);
  output.soundfont = soundfont;
  let start = 0;
  melodies.forEach((melody, index) => {
    const second = lengths[index] / melody.length_steps;
    for (const [first, end, pitch, velocity] of melody.notes) {
      output.note(start + first * second, pitch, velocity ?? 80, (end - first) * second, program);
    }
    for (const { notes, program: own, drums } of backings[index] ?? []) {
      const quarter = second * melody.steps_per_quarter;
      for (const [first, end, pitch, velocity] of notes) {
        output.under(start + first * quarter, pitch, velocity, (end - first) * quarter, drums ? DRUMS + own : own);
      }
    }
    if (metronome) output.click(start, true);
    start += lengths[index];
  });
  const rendered = await context.startRendering();
  return { samples: rendered.getChannelData(0), rate };
}
