"""What the commands that train share: the progress bar, and ending in good order on Ctrl-C."""

from __future__ import annotations

import signal
from collections.abc import Callable, Mapping
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from melodyvae.training.task import Metrics
    from melodyvae.training.trainer import Trainer


def run_until_interrupted(
    trainer: Trainer, held_out: Mapping[str, str], watch: Callable[[Metrics], str | None] | None = None
) -> None:
    """Run with a progress bar; the first Ctrl-C ends the run in good order, a second one at once.

    Args:
        trainer: ready to run.
        watch: given the metrics, a sentence if something goes wrong; it is printed when it begins to.
        held_out: what the bar calls a held-out metric -> its name.
    """
    from tqdm import tqdm

    def stop(*_: object) -> None:
        signal.signal(signal.SIGINT, signal.default_int_handler)
        trainer.stop()

    before = signal.signal(signal.SIGINT, stop)
    try:
        with tqdm(total=100, unit="%", bar_format="{l_bar}{bar}| {elapsed}<{remaining} {postfix}") as bar:
            was_wrong = False
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
                    label: f"{progress.metrics[name]:.4g}"
                    for label, name in held_out.items()
                    if name in progress.metrics
                }
                bar.set_postfix(shown, refresh=False)
    finally:
        signal.signal(signal.SIGINT, before)
