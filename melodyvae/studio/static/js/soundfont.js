// SoundFont 2 files: read, and played with Web Audio, in a live context as in an offline one.
//
// The file format: "SoundFont Technical Specification 2.04" (E-mu Systems, 2006). Played are samples with their loops,
// tuning, volume envelope, filter, pan and attenuation; modulators, chorus and reverb are not.

const GENERATOR = {
  startOffset: 0,
  endOffset: 1,
  loopStart: 2,
  loopEnd: 3,
  startCoarse: 4,
  filterCents: 8,
  filterQ: 9,
  endCoarse: 12,
  pan: 17,
  attack: 34,
  hold: 35,
  decay: 36,
  sustain: 37,
  release: 38,
  instrument: 41,
  keys: 43,
  velocities: 44,
  loopStartCoarse: 45,
  attenuation: 48,
  loopEndCoarse: 50,
  semitones: 51,
  cents: 52,
  sample: 53,
  loops: 54,
  scale: 56,
  root: 58,
};
const DEFAULTS = { [GENERATOR.filterCents]: 13500, [GENERATOR.scale]: 100, [GENERATOR.root]: -1 };
for (const name of ["attack", "hold", "decay", "release"]) DEFAULTS[GENERATOR[name]] = -12000;
const ADDED = new Set(
  ["filterCents", "filterQ", "pan", "attack", "hold", "decay", "sustain", "release", "attenuation", "semitones", "cents"].map(
    (name) => GENERATOR[name],
  ),
);
const MAX_BYTES = 256 * 2 ** 20;
const MAX_HERTZ = 20_000;
const MIN_GAIN = 1e-4;
const RELEASE_SECONDS = 0.08; // at least, so that nothing clicks

const seconds = (timecents) => 2 ** (timecents / 1200);

export class SoundFont {
  /** The soundfont in the bytes of a file; an Error with a sentence if it is none. */
  constructor(buffer) {
    if (buffer.byteLength > MAX_BYTES) throw new Error("the soundfont is larger than 256 MiB");
    this.view = new DataView(buffer);
    this.buffer = buffer;
    const chunks = this.chunks();
    for (const name of ["phdr", "pbag", "pgen", "inst", "ibag", "igen", "shdr", "smpl"]) {
      if (!chunks[name]) throw new Error(`this is no SoundFont 2 file: it has no part ${name}`);
    }
    this.samplesAt = chunks.smpl.start;
    this.sampleCount = chunks.smpl.length >> 1;
    this.samples = this.records(chunks.shdr, 46, (at) => ({
      start: this.view.getUint32(at + 20, true),
      end: this.view.getUint32(at + 24, true),
      loopStart: this.view.getUint32(at + 28, true),
      loopEnd: this.view.getUint32(at + 32, true),
      rate: this.view.getUint32(at + 36, true),
      root: this.view.getUint8(at + 40),
      correction: this.view.getInt8(at + 41),
    }));
    const bag = (at) => this.view.getUint16(at, true);
    const generator = (at) => [this.view.getUint16(at, true), this.view.getInt16(at + 2, true)];
    const presetBags = this.records(chunks.pbag, 4, bag);
    const presetGenerators = this.records(chunks.pgen, 4, generator);
    const instrumentBags = this.records(chunks.ibag, 4, bag);
    const instrumentGenerators = this.records(chunks.igen, 4, generator);
    const zones = (bags, generators, from, to) => {
      const found = [];
      for (let index = from; index < to; index += 1) {
        found.push(new Map(generators.slice(bags[index], bags[index + 1])));
      }
      return found;
    };
    const instruments = this.records(chunks.inst, 22, (at) => this.view.getUint16(at + 20, true));
    const presets = this.records(chunks.phdr, 38, (at) => ({
      name: this.text(at, 20),
      program: this.view.getUint16(at + 20, true),
      bank: this.view.getUint16(at + 22, true),
      bag: this.view.getUint16(at + 24, true),
    }));
    this.presets = new Map();
    for (let index = 0; index + 1 < presets.length; index += 1) {
      const { bank, program, bag: first, name } = presets[index];
      const own = zones(presetBags, presetGenerators, first, presets[index + 1].bag);
      this.presets.set(bank * 128 + program, { name, zones: own });
    }
    this.instrumentZones = (index) =>
      zones(instrumentBags, instrumentGenerators, instruments[index], instruments[index + 1]);
    this.buffers = new Map();
    this.found = new Map();
  }

  chunks() {
    const found = {};
    const walk = (at, end) => {
      while (at + 8 <= end) {
        const name = this.text(at, 4);
        const length = this.view.getUint32(at + 4, true);
        const start = at + 8;
        if (start + length > end) throw new Error("the soundfont is truncated");
        if (name === "RIFF" || name === "LIST") walk(start + 4, start + length);
        else found[name] = { start, length };
        at = start + length + (length & 1);
      }
    };
    if (this.view.byteLength < 12 || this.text(0, 4) !== "RIFF" || this.text(8, 4) !== "sfbk") {
      throw new Error("this is no SoundFont 2 file");
    }
    walk(0, this.view.byteLength);
    return found;
  }

  text(at, length) {
    const bytes = new Uint8Array(this.buffer, at, length);
    const end = bytes.indexOf(0);
    return String.fromCharCode(...bytes.subarray(0, end < 0 ? length : end));
  }

  records({ start, length }, size, read) {
    return Array.from({ length: Math.floor(length / size) }, (_, index) => read(start + index * size));
  }

  /** What sounds for a key: samples with their generators, the preset's added to the instrument's. */
  zonesFor(program, key, velocity) {
    const name = `${program}/${key}/${velocity}`;
    if (this.found.has(name)) return this.found.get(name);
    const bank = program - (program % 128); // of drums, which begin at 128 * 128, another one
    const preset = this.presets.get(program) ?? this.presets.get(bank) ?? this.presets.get(0) ?? [...this.presets.values()][0];
    const fits = (zone) => {
      const inside = (range, value) => range === undefined || (value >= (range & 255) && value <= ((range >> 8) & 255));
      return inside(zone.get(GENERATOR.keys), key) && inside(zone.get(GENERATOR.velocities), velocity);
    };
    const split = (zones, last) => {
      const common = zones.length && !zones[0].has(last) ? zones[0] : new Map();
      return zones.filter((zone) => zone.has(last) && fits(zone)).map((zone) => new Map([...common, ...zone]));
    };
    const found = [];
    for (const over of split(preset?.zones ?? [], GENERATOR.instrument)) {
      for (const zone of split(this.instrumentZones(over.get(GENERATOR.instrument)), GENERATOR.sample)) {
        const value = (generator) => {
          const base = zone.get(generator) ?? DEFAULTS[generator] ?? 0;
          return base + (ADDED.has(generator) ? (over.get(generator) ?? 0) : 0);
        };
        const sample = this.samples[zone.get(GENERATOR.sample)];
        if (sample) found.push({ sample, value });
      }
    }
    this.found.set(name, found);
    return found;
  }

  audioBuffer(context, sample) {
    if (!this.buffers.has(sample)) {
      const length = Math.max(1, Math.min(sample.end, this.sampleCount) - sample.start);
      const rate = Math.min(Math.max(sample.rate, 3000), 384_000);
      const buffer = new AudioBuffer({ length, sampleRate: rate, numberOfChannels: 1 });
      const channel = buffer.getChannelData(0);
      for (let index = 0; index < length; index += 1) {
        channel[index] = this.view.getInt16(this.samplesAt + 2 * (sample.start + index), true) / 32768;
      }
      this.buffers.set(sample, buffer);
    }
    return this.buffers.get(sample);
  }

  /** Start a note; returns {release(time)} that ends it. */
  play(context, output, { time, pitch, velocity, program }) {
    const ends = this.zonesFor(program, pitch, velocity).map((zone) => this.voice(context, output, zone, time, pitch, velocity));
    return { release: (at) => ends.forEach((end) => end(at)) };
  }

  voice(context, output, { sample, value }, time, pitch, velocity) {
    const source = context.createBufferSource();
    source.buffer = this.audioBuffer(context, sample);
    const root = value(GENERATOR.root) >= 0 ? value(GENERATOR.root) : sample.root;
    const cents =
      (pitch - root) * value(GENERATOR.scale) +
      100 * value(GENERATOR.semitones) +
      value(GENERATOR.cents) +
      sample.correction;
    source.playbackRate.value = 2 ** (cents / 1200);
    const loops = (value(GENERATOR.loops) & 1) === 1;
    const offset = value(GENERATOR.startOffset) + 32768 * value(GENERATOR.startCoarse);
    if (loops) {
      const from = sample.loopStart + value(GENERATOR.loopStart) + 32768 * value(GENERATOR.loopStartCoarse);
      const to = sample.loopEnd + value(GENERATOR.loopEnd) + 32768 * value(GENERATOR.loopEndCoarse);
      source.loop = to > from;
      source.loopStart = (from - sample.start) / source.buffer.sampleRate;
      source.loopEnd = (to - sample.start) / source.buffer.sampleRate;
    }
    const gain = context.createGain();
    const pan = new StereoPannerNode(context, { pan: Math.max(-1, Math.min(1, value(GENERATOR.pan) / 500)) });
    let chain = source;
    const hertz = 8.176 * seconds(value(GENERATOR.filterCents));
    if (hertz < MAX_HERTZ) {
      const filter = context.createBiquadFilter();
      filter.type = "lowpass";
      filter.frequency.value = Math.min(hertz, context.sampleRate / 2);
      filter.Q.value = value(GENERATOR.filterQ) / 10;
      chain = chain.connect(filter);
    }
    chain.connect(gain).connect(pan).connect(output);
    // E-mu's chips took 0.4 of the attenuation that files give, and files are made for that.
    const peak = (velocity / 127) ** 1.6 * 10 ** ((-0.4 * value(GENERATOR.attenuation)) / 200);
    const sustained = Math.max(peak * 10 ** (-value(GENERATOR.sustain) / 200), MIN_GAIN);
    const attacked = time + Math.max(seconds(value(GENERATOR.attack)), 0.002);
    const held = attacked + seconds(value(GENERATOR.hold));
    const decayed = held + Math.max(seconds(value(GENERATOR.decay)), 0.01);
    gain.gain.setValueAtTime(0, time);
    gain.gain.linearRampToValueAtTime(peak, attacked);
    gain.gain.setValueAtTime(peak, held);
    gain.gain.exponentialRampToValueAtTime(sustained, decayed);
    source.start(time, Math.max(0, offset) / source.buffer.sampleRate);
    source.onended = () => pan.disconnect();
    return (at) => {
      const release = Math.max(Math.min(seconds(value(GENERATOR.release)), 1.5), RELEASE_SECONDS);
      const when = Math.max(at, time + 0.01);
      gain.gain.cancelAndHoldAtTime?.(when);
      gain.gain.setTargetAtTime(0, when, release / 4);
      source.stop(when + release * 1.5);
    };
  }
}
