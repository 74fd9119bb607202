"""Write the example tunes of this folder: old melodies that everybody knows and nobody owns.

    python examples/tunes.py

Each tune is a line of notes, "name octave length", with lengths in quarters (C4:1 is a quarter note on middle C) and
R for a rest; bars are marked with | for the eye only.
"""

from pathlib import Path

from melodyvae.music.melody import Melody, MelodyNote

STEPS_PER_QUARTER = 4
SEMITONES = {"C": 0, "D": 2, "E": 4, "F": 5, "G": 7, "A": 9, "B": 11}

TUNES = {
    # "Ah! vous dirai-je, maman", French, before 1761
    "twinkle": (
        100,
        "C4:1 C4:1 G4:1 G4:1 | A4:1 A4:1 G4:2 | F4:1 F4:1 E4:1 E4:1 | D4:1 D4:1 C4:2 |"
        "G4:1 G4:1 F4:1 F4:1 | E4:1 E4:1 D4:2 | G4:1 G4:1 F4:1 F4:1 | E4:1 E4:1 D4:2",
    ),
    # Ludwig van Beethoven, Symphony No. 9, 1824
    "ode-to-joy": (
        120,
        "E4:1 E4:1 F4:1 G4:1 | G4:1 F4:1 E4:1 D4:1 | C4:1 C4:1 D4:1 E4:1 | E4:1.5 D4:0.5 D4:2 |"
        "E4:1 E4:1 F4:1 G4:1 | G4:1 F4:1 E4:1 D4:1 | C4:1 C4:1 D4:1 E4:1 | D4:1.5 C4:0.5 C4:2",
    ),
    # "Frère Jacques", French, before 1780
    "frere-jacques": (
        110,
        "C4:1 D4:1 E4:1 C4:1 | C4:1 D4:1 E4:1 C4:1 | E4:1 F4:1 G4:2 | E4:1 F4:1 G4:2 |"
        "G4:0.5 A4:0.5 G4:0.5 F4:0.5 E4:1 C4:1 | G4:0.5 A4:0.5 G4:0.5 F4:0.5 E4:1 C4:1 |"
        "C4:1 G3:1 C4:2 | C4:1 G3:1 C4:2",
    ),
    # "When the Saints Go Marching In", spiritual, 19th century
    "saints": (
        160,
        "R:1 C4:1 E4:1 F4:1 | G4:4 | R:1 C4:1 E4:1 F4:1 | G4:4 |R:1 C4:1 E4:1 F4:1 | G4:2 E4:2 | C4:2 E4:2 | D4:4",
    ),
}


def melody_of(name: str) -> Melody:
    """The tune of that name."""
    quarters_per_minute, line = TUNES[name]
    notes: list[MelodyNote] = []
    step = 0
    for word in line.replace("|", " ").split():
        pitch_name, length = word.split(":")
        end = step + round(float(length) * STEPS_PER_QUARTER)
        if pitch_name != "R":
            letter, octave = pitch_name
            notes.append(MelodyNote(step, end, 12 * (int(octave) + 1) + SEMITONES[letter]))
        step = end
    return Melody(tuple(notes), step, quarters_per_minute=quarters_per_minute, name=name)


if __name__ == "__main__":
    folder = Path(__file__).parent / "tunes"
    folder.mkdir(exist_ok=True)
    for name in TUNES:
        melody_of(name).write(folder / f"{name}.mid")
        print(folder / f"{name}.mid")
