"""Common parts of the commands that train: the progress bar, and a clean end on Ctrl-C."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING

import click

from melodyvae.cli.signals import ENDED_BY_SIGNAL, ending_in_good_order
from melodyvae.system.files import remove_unfinished
from melodyvae.system.locks import sole_use

if TYPE_CHECKING:
    from melodyvae.training.task import Metrics
    from melodyvae.training.trainer import Trainer


def check_holds_no_run(folder: Path, files: Iterable[str]) -> None:
    """Raise if one of a training's ``files`` is in ``folder``."""
    if any((folder / name).exists() for name in files):
        raise click.ClickException(
            f"{folder} already holds a training; add --resume to go on with it, or choose another -o"
        )


@contextmanager
def run_folder(folder: Path) -> Iterator[None]:
    """Within the block ``folder`` is there, no other process trains into it, and nothing unfinished is left in it.

    Raises:
        InUseError: if another process does.
        OSError: if it cannot be made.
    """
    with sole_use(folder / ".lock", f"the run folder {folder}"):
        remove_unfinished(folder)
        yield


def run_until_interrupted(
    trainer: Trainer, held_out: Mapping[str, str], watch: Callable[[Metrics], str | None] | None = None
) -> int:
    """Run with a progress bar; the first Ctrl-C, SIGTERM or SIGHUP ends the run in good order, a second one at once.

    Where nobody watches, as in a log, there is a line for each evaluation in place of the bar.

    Args:
        trainer: ready to run.
        watch: given the metrics, a sentence if something goes wrong; it is printed when it begins to.
        held_out: what the bar calls a held-out metric -> its name.

    Returns:
        The exit status: 0, or that of a signal that stopped the run.
    """
    from tqdm import tqdm

    with (
        ending_in_good_order(trainer.stop) as came,
        tqdm(total=100, unit="%", bar_format="{l_bar}{bar}| {elapsed}<{remaining} {postfix}", disable=None) as bar,
    ):
        was_wrong = False
        evaluated: list[float] = []
        for progress in trainer.run():
            wrong = watch(progress.metrics) if watch else None
            if wrong and not was_wrong:
                bar.write(f"At update {progress.update} {wrong}")
            was_wrong = wrong is not None
            bar.update(100 * progress.share - bar.n)
            if "reconstruction" not in progress.metrics:
                continue
            shown = {
                "update": str(progress.update),
                "rec": f"{progress.metrics['reconstruction']:.2f}",
                "KL": f"{progress.metrics['kl']:.1f}",
            }
            shown |= {
                label: f"{progress.metrics[name]:.4g}" for label, name in held_out.items() if name in progress.metrics
            }
            bar.set_postfix(shown, refresh=False)
            now = [value for name, value in progress.metrics.items() if name.startswith("held_out_")]
            if bar.disable and now != evaluated:
                click.echo(f"{progress.share:4.0%} " + ", ".join(f"{name} {value}" for name, value in shown.items()))
            evaluated = now
    return ENDED_BY_SIGNAL + came[0] if came else 0
