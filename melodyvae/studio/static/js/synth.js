// A synthesiser without samples: two oscillators, one of which may modulate the other, and an envelope for each family
// of General MIDI instruments. It is what sounds until a soundfont is there, and where there is none.

const FAMILIES = [
  // wave, harmonic: [ratio, share, as modulation], attack, decay, sustain, release, brightness in multiples of the pitch
  { wave: "triangle", second: [2, 0.24, false], attack: 0.003, decay: 0.9, sustain: 0.12, release: 0.18, bright: 7 }, // piano
  { wave: "sine", second: [4, 1.6, true], attack: 0.002, decay: 0.5, sustain: 0.06, release: 0.25, bright: 12 }, // bells
  { wave: "sine", second: [2, 0.5, false], attack: 0.012, decay: 0.1, sustain: 0.8, release: 0.06, bright: 9 }, // organ
  { wave: "sawtooth", second: [1, 0.2, false], attack: 0.004, decay: 0.6, sustain: 0.1, release: 0.15, bright: 4 }, // guitar
  { wave: "triangle", second: [1, 0.4, false], attack: 0.006, decay: 0.5, sustain: 0.4, release: 0.1, bright: 4 }, // bass
  { wave: "sawtooth", second: [1.004, 0.8, false], attack: 0.09, decay: 0.3, sustain: 0.75, release: 0.25, bright: 4 }, // strings
  { wave: "sawtooth", second: [0.996, 0.8, false], attack: 0.12, decay: 0.3, sustain: 0.75, release: 0.3, bright: 3 }, // ensemble
  { wave: "sawtooth", second: [1, 0.9, true], attack: 0.035, decay: 0.2, sustain: 0.7, release: 0.1, bright: 5 }, // brass
  { wave: "square", second: [2, 0.2, false], attack: 0.03, decay: 0.2, sustain: 0.6, release: 0.08, bright: 4 }, // reed
  { wave: "sine", second: [2, 0.16, false], attack: 0.04, decay: 0.2, sustain: 0.8, release: 0.1, bright: 6 }, // pipe
  { wave: "square", second: [1.003, 0.6, false], attack: 0.005, decay: 0.3, sustain: 0.5, release: 0.1, bright: 6 }, // lead
  { wave: "triangle", second: [1.005, 0.9, false], attack: 0.2, decay: 0.4, sustain: 0.8, release: 0.6, bright: 4 }, // pad
  { wave: "sine", second: [3, 2.5, true], attack: 0.01, decay: 1, sustain: 0.2, release: 0.5, bright: 10 }, // effects
  { wave: "sawtooth", second: [2, 0.4, false], attack: 0.003, decay: 0.35, sustain: 0.05, release: 0.1, bright: 5 }, // plucked
  { wave: "sine", second: [2.76, 2, true], attack: 0.001, decay: 0.25, sustain: 0.01, release: 0.1, bright: 9 }, // percussive
  { wave: "sine", second: [1.5, 3, true], attack: 0.02, decay: 0.5, sustain: 0.2, release: 0.3, bright: 9 }, // sounds
];
const LOUDNESS = 0.34;

/** Programs from here on are drums. */
export const DRUMS = 128 * 128;
const PERCUSSION = FAMILIES[14];

export class Synth {
  /** Start a note; returns {release(time)} that ends it. */
  play(context, output, { time, pitch, velocity, program }) {
    const family = program >= DRUMS ? PERCUSSION : (FAMILIES[program >> 3] ?? FAMILIES[0]);
    const hertz = 440 * 2 ** ((pitch - 69) / 12);
    const gain = context.createGain();
    const filter = context.createBiquadFilter();
    filter.type = "lowpass";
    filter.frequency.setValueAtTime(Math.min(hertz * family.bright, 16000), time);
    filter.frequency.setTargetAtTime(Math.min(hertz * (1 + family.bright * 0.4), 12000), time + family.attack, family.decay);
    const first = new OscillatorNode(context, { type: family.wave, frequency: hertz });
    const [ratio, share, modulates] = family.second;
    const second = new OscillatorNode(context, { type: "sine", frequency: hertz * ratio });
    const amount = new GainNode(context, { gain: modulates ? share * hertz : share });
    second.connect(amount);
    if (modulates) {
      amount.gain.setTargetAtTime(share * hertz * 0.2, time, family.decay * 0.5);
      amount.connect(first.frequency);
    } else amount.connect(filter);
    first.connect(filter).connect(gain).connect(output);
    const peak = LOUDNESS * (velocity / 127) ** 1.3 * (family.wave === "sine" ? 1.25 : family.wave === "triangle" ? 1.1 : 0.55);
    gain.gain.setValueAtTime(0, time);
    gain.gain.linearRampToValueAtTime(peak, time + family.attack);
    gain.gain.setTargetAtTime(peak * family.sustain, time + family.attack, family.decay / 2.5);
    first.start(time);
    second.start(time);
    first.onended = () => gain.disconnect();
    return {
      release(at) {
        const when = Math.max(at, time + family.attack);
        gain.gain.cancelAndHoldAtTime?.(when);
        gain.gain.setTargetAtTime(0, when, family.release / 3);
        first.stop(when + family.release * 2);
        second.stop(when + family.release * 2);
      },
    };
  }
}

/** A click of the metronome. */
export function click(context, output, time, accented) {
  const tick = new OscillatorNode(context, { type: "square", frequency: accented ? 1760 : 1174 });
  const gain = context.createGain();
  gain.gain.setValueAtTime(accented ? 0.16 : 0.09, time);
  gain.gain.exponentialRampToValueAtTime(1e-4, time + 0.045);
  tick.connect(gain).connect(output);
  tick.start(time);
  tick.stop(time + 0.05);
  tick.onended = () => gain.disconnect();
}
