"""``melodyvae export``: a model for other programs."""

from __future__ import annotations

from pathlib import Path

import click

from melodyvae.cli.options import known_errors


@click.command()
@click.argument("model_name", metavar="MODEL")
@click.option("-o", "--output", type=click.Path(path_type=Path), help="Folder.  [default: MODEL-onnx]")
@click.option("--force", is_flag=True, help="Replace files of an earlier export.")
def export(model_name: str, output: Path | None, force: bool) -> None:
    """Write a MODEL as ONNX, for programs without melodyvae. Needs the extra onnx.

    \b
    melodyvae export melody-2bar
    melodyvae export runs/midi-dataset-melody-2bar -o mine

    The folder gets encoder.onnx, start.onnx and step.onnx (the decoder), model.json (tokens, bars, meter, how z is
    read), and README.md with programs in Python and JavaScript that walk from tune to tune.
    """
    from melodyvae.network.onnx_export import FILES
    from melodyvae.network.onnx_export import export as write
    from melodyvae.writing.output_folder import output_folder

    folder = output or Path(f"{Path(model_name).name}-onnx")
    with known_errors(), output_folder(folder, FILES, force) as staging:
        write(model_name, staging)
    click.echo(f"Wrote {', '.join(FILES[:-1])} and {FILES[-1]} to {folder}/")
