// Web MIDI: the notes that sound, to a port of the user's choice, at the same times.

const NOTE_ON = 0x90;
const NOTE_OFF = 0x80;
const PROGRAM = 0xc0;
const ALL_NOTES_OFF = [0xb0, 123, 0];

export class MidiOut {
  constructor(port) {
    this.port = port;
    this.program = -1;
  }

  /** A note at a time of the audio clock, which the port gets on its own clock, in milliseconds. */
  note(time, pitch, velocity, duration, program, context) {
    const stamp = context.getOutputTimestamp?.();
    const aligned = stamp?.performanceTime ? stamp : { contextTime: context.currentTime, performanceTime: performance.now() };
    const at = aligned.performanceTime + 1000 * (time - aligned.contextTime);
    if (program !== this.program) this.port.send([PROGRAM, program], at);
    this.program = program;
    this.port.send([NOTE_ON, pitch, velocity], at);
    this.port.send([NOTE_OFF, pitch, 0], at + 1000 * duration - 2);
  }

  silence() {
    this.port.clear?.();
    this.port.send(ALL_NOTES_OFF);
  }
}

export const isThere = () => "requestMIDIAccess" in navigator;

/** The ports to send to; asks the user the first time. */
export async function ports() {
  const access = await navigator.requestMIDIAccess({ sysex: false });
  return [...access.outputs.values()];
}
