"""``melodyvae reconstruct``: tunes as the model remembers them."""

from __future__ import annotations

from pathlib import Path

import click

from melodyvae.cli.options import generation_options, known_errors, load_model, midi_file


@click.command()
@click.argument("files", nargs=-1, required=True, type=midi_file)
@click.option("--track", default="auto", show_default=True, help="Track: auto, a number or a name.")
@generation_options(temperature=0.0)
def reconstruct(
    files: tuple[Path, ...],
    track: str,
    output: Path | None,
    model_name: str,
    temperature: float,
    seed: int,
    device: str,
    audio: bool,
    force: bool,
) -> None:
    """Write each of FILES as the model remembers it: through z and back, window by window.

    \b
    melodyvae reconstruct song.mid
    melodyvae reconstruct *.mid -o remembered

    The folder (reconstructions by default) gets one MIDI file a file, of its name, and piano-rolls.png with each
    melody above what came back.
    """
    from melodyvae.cli.results import read_announced, write_melodies
    from melodyvae.generation import sampling as generate
    from melodyvae.generation.codec import matching_steps

    names = [f"{path.stem}.mid" for path in files]
    if len(set(names)) < len(names):
        raise click.UsageError("two of the files have the same name, and would be written to the same place")
    with known_errors():
        model, generator = load_model(model_name, device, seed)
        rolls, titles, remembered = [], [], []
        for path in files:
            melody = read_announced(path, track, model.config).melody
            back = generate.reconstruct(model, melody, temperature, generator)
            right = matching_steps(model, melody, back)
            click.echo(f"{path.name}: {right} of {melody.length_steps} steps came back")
            remembered.append(back)
            rolls += [melody, back]
            titles += [path.stem, "came back"]
        write_melodies(
            output or Path("reconstructions"),
            remembered,
            names,
            titles,
            rolls=rolls,
            joined=False,
            replace=force,
            audio=audio,
        )
