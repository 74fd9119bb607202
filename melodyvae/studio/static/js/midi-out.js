// Web MIDI: the notes that sound, to a port of the user's choice, at the same times.

const NOTE_ON = 0x90;
const NOTE_OFF = 0x80;
const PROGRAM = 0xc0;
const ALL_NOTES_OFF = (channel) => [0xb0 + channel, 123, 0];

export class MidiOut {
  constructor(port) {
    this.port = port;
    this.programs = new Map(); // of each channel
  }

  /** A note at a time of the audio clock, which the port gets on its own clock, in milliseconds. */
  note(time, pitch, velocity, duration, program, context, channel = 0) {
    const stamp = context.getOutputTimestamp?.();
    const aligned = stamp?.performanceTime ? stamp : { contextTime: context.currentTime, performanceTime: performance.now() };
    const at = aligned.performanceTime + 1000 * (time - aligned.contextTime);
    if (program !== this.programs.get(channel)) this.port.send([PROGRAM + channel, program], at);
    this.programs.set(channel, program);
    this.port.send([NOTE_ON + channel, pitch, velocity], at);
    this.port.send([NOTE_OFF + channel, pitch, 0], at + 1000 * duration - 2);
  }

  silence() {
    this.port.clear?.();
    for (const channel of this.programs.keys()) this.port.send(ALL_NOTES_OFF(channel));
  }
}

export const isThere = () => "requestMIDIAccess" in navigator;

/** The ports to send to; asks the user the first time. */
export async function ports() {
  const access = await navigator.requestMIDIAccess({ sysex: false });
  return [...access.outputs.values()];
}
