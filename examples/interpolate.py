"""Eight tunes from "Twinkle" to the "Ode to Joy", from Python.

    python examples/interpolate.py [FOLDER]

Anything that holds a melody will do for the ends: a path, a ``PrettyMIDI`` object, or a ``Melody``.
"""

import sys
from pathlib import Path

import pretty_midi

from melodyvae import MelodyVAE

tunes = Path(__file__).parent / "tunes"
folder = Path(sys.argv[1] if len(sys.argv) > 1 else "twinkle-to-ode")
folder.mkdir(parents=True, exist_ok=True)

vae = MelodyVAE.from_pretrained("melody-2bar")
start = tunes / "twinkle.mid"
end = pretty_midi.PrettyMIDI(str(tunes / "ode-to-joy.mid"))
for index, melody in enumerate(vae.interpolate(start, end, 8), start=1):
    melody.write(folder / f"{index:02d}.mid")
    print(f"{index}: " + " ".join(pretty_midi.note_number_to_name(note.pitch) for note in melody.notes))
