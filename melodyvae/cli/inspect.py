"""``melodyvae inspect``: what is in a file, a dataset or a checkpoint, in a screenful."""

from __future__ import annotations

from pathlib import Path
from textwrap import fill

import click

from melodyvae.cli.options import MusicFile, chosen_repeats, known_errors, reading_options

TRACK_NAME_WIDTH = 28
LINE_WIDTH = 110
HASH_CHARACTERS = 12


@click.command()
@click.argument("target", metavar="FILE|DATASET|CHECKPOINT", type=MusicFile())
@reading_options
def inspect(target: str) -> None:
    """Say what is in a MIDI file or score, a dataset folder, or a checkpoint (a file, a run folder or a shipped name).

    \b
    melodyvae inspect song.mid
    melodyvae inspect midi-dataset
    melodyvae inspect melody-2bar
    """
    from melodyvae.reading.score import SCORE_SUFFIXES
    from melodyvae.reading.tunes import split_tune

    path = Path(target)
    file = split_tune(path)[0]
    is_music = (file.exists() and not file.is_dir()) or file.suffix.lower() in {".mid", ".midi", *SCORE_SUFFIXES}
    with known_errors():
        if (path / "meta.json").is_file():
            _inspect_dataset(path)
        elif is_music and file.suffix != ".safetensors":
            _inspect_midi(path)
        else:
            _inspect_checkpoint(target)


def _inspect_midi(path: Path) -> None:
    from melodyvae.music.voice import score_parts
    from melodyvae.reading.limited import read_song
    from melodyvae.system.limits import Limits

    song = read_song(path, Limits(), chosen_repeats())
    bars = song.bars()
    meters = sorted({f"{bar.numerator}/{bar.denominator}" for bar in bars})
    short = sum(not bar.is_whole for bar in bars)
    tempi = sorted({round(tempo.quarters_per_minute, 1) for tempo in song.tempi}) or [120.0]
    click.echo(f"{path}: {len(bars)} bars ({short} short), meters {', '.join(meters) or 'none'}")
    click.echo(f"tempo {tempi[0]:g}" + (f" to {tempi[-1]:g}" if len(tempi) > 1 else "") + " quarters per minute")
    for notice in song.notices:
        click.echo(notice)
    if not song.parts:
        click.echo("no notes")
        return
    scores = {score.index: score for score in score_parts(song)}
    best = next(iter(scores), None)
    click.echo(f"{'track':<{TRACK_NAME_WIDTH + 4}} notes  range    melody score")
    for index, part in enumerate(song.parts):
        name = (part.name or ("drums" if part.is_drum else f"program {part.program}"))[:TRACK_NAME_WIDTH]
        line = (
            f"{index + 1:3} {name:<{TRACK_NAME_WIDTH}} {len(part):5}  {part.pitches.min():3}-{part.pitches.max():<3}  "
        )
        if index in scores:
            terms = ", ".join(f"{term} {value:+.2f}" for term, value in scores[index].terms.items())
            line += f"{scores[index].total:5.2f} = {terms}" + ("  <- the melody" if index == best else "")
        else:
            line += "    - (drums)"
        click.echo(line)


def _inspect_dataset(path: Path) -> None:
    from melodyvae.datasets.windows import open_dataset

    dataset = open_dataset(path)
    meta = dataset.meta
    click.echo(
        f"{path}: windows of {meta['bars']} bars of {meta['meter'][0]}/{meta['meter'][1]}, "
        f"{meta['steps']} steps, from {len(meta['sources'])} files"
    )
    for split, count in meta["counts"].items():
        share = (dataset.splits[split] >= meta["vocabulary"]["first_note_on"]).mean() if count else 0.0
        click.echo(f"{split:>6} {count:8} windows, {share * meta['steps'] / meta['bars']:.1f} notes per bar")
    for kind, reasons in (("files", meta["left_out_files"]), ("windows", meta["left_out_windows"])):
        if reasons:
            counts = ", ".join(f"{count} {reason}" for reason, count in reasons.items())
            click.echo(f"left out, {kind}: {counts}")
    click.echo("made by " + ", ".join(f"{name} {version}" for name, version in meta["versions"].items()))


def _inspect_checkpoint(target: str) -> None:
    from melodyvae.network.checkpoint import locate, read_checkpoint
    from melodyvae.system.files import sha256_of

    path = locate(target)
    checkpoint = read_checkpoint(path)
    weights = sum(weight.size for weight in checkpoint.weights.values())
    size = path.stat().st_size / 2**20
    click.echo(f"{path}: a {checkpoint.kind} model of {weights / 1e6:.2f} million weights, {size:.1f} MiB,")
    click.echo(f"    revision {checkpoint.revision}, SHA-256 {sha256_of(path)}")
    made_by = checkpoint.provenance
    for title, value in (
        ("config", _in_a_line({k: v for k, v in checkpoint.config.items() if v})),  # what is not off
        ("made by", str(made_by.get("command", "unknown"))),
        ("training", _in_a_line({k: v for k, v in made_by.get("training", {}).items() if v})),  # what is not off
        ("learned", _in_a_line({k: v for k, v in made_by.items() if isinstance(v, int | float)})),
        ("from", _in_a_line({k: v for k, v in made_by.items() if k.startswith("data")})),
        ("fitted to", _in_a_line(made_by.get("fitted_to", {}))),
        ("versions", _in_a_line(made_by.get("versions", {}))),
    ):
        if title == "fitted to" and not value:  # the data it learned
            continue
        click.echo(fill(value, LINE_WIDTH, initial_indent=f"{title}: ", subsequent_indent="    "))
    if "fine_tuned_from" in made_by:
        click.echo(f"fine-tuned from a model made by: {made_by['fine_tuned_from'].get('command', 'unknown')}")
    tables = {name: values for name, values in checkpoint.metrics.items() if isinstance(values, dict)}
    rows = dict.fromkeys(figure for values in tables.values() for figure in values)
    click.echo(f"{'held-out metrics':<32}" + "".join(f"{name:>14}" for name in tables))
    for row in rows:
        cells = (values.get(row, "") for values in tables.values())
        shown = (f"{cell:14.4f}" if isinstance(cell, float) else f"{cell!s:>14.14}" for cell in cells)
        click.echo(f"{row.removeprefix('held_out_'):<32}" + "".join(shown))


def _in_a_line(values: dict[str, object]) -> str:
    """``name value`` pairs with commas between; of a long hash only the beginning."""
    pairs = []
    for name, value in values.items():
        if isinstance(value, dict):
            pairs.append(f"{name} ({_in_a_line(value)})")
        else:
            shown = f"{value:.6g}" if isinstance(value, float) else str(value)
            pairs.append(f"{name} {shown[:HASH_CHARACTERS] if len(shown) == 64 else shown}")
    return ", ".join(pairs)
