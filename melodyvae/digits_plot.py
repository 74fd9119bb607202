"""Pictures of digits and of what a model makes of them. matplotlib is imported only when a picture is drawn.

Contents: :func:`plot_digit_curves`.
"""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import Any

RECONSTRUCTION = "#3b6fb6"
KL = "#c8553d"
BOUND = "#1a1a2e"


def plot_digit_curves(lines: Sequence[dict[str, Any]], path: Path) -> None:
    """Write a PNG of a training: negative ELBO, reconstruction and KL in nats against epochs' worth of images.

    Args:
        lines: what :func:`melodyvae.trainer.read_metrics` gives; at least one.
        path: the file to write.
    """
    from matplotlib.figure import Figure

    figure = Figure(figsize=(7, 4), layout="constrained")
    axis = figure.subplots()
    seen = [line["examples"] / 1000 for line in lines]
    bound = [line["reconstruction"] + line["kl"] for line in lines]
    curves = [("negative ELBO", BOUND, bound, "held_out_negative_elbo_nats")]
    for name, colour, key in (("reconstruction", RECONSTRUCTION, "reconstruction"), ("KL", KL, "kl")):
        curves.append((name, colour, [line[key] for line in lines], f"held_out_{key}_nats"))
    for name, colour, trained, held_out_key in curves:
        axis.plot(seen, trained, color=colour, label=f"{name}, train", linewidth=1.2)
        if held_out_key in lines[-1]:
            held_out = [line[held_out_key] for line in lines]
            axis.plot(seen, held_out, color=colour, label=f"{name}, held out", linestyle="--", linewidth=1.2)
    axis.set_xlabel("thousand images seen")
    axis.set_ylabel("nats an image")
    axis.set_ylim(0, 200)
    axis.grid(alpha=0.3)
    axis.legend(frameon=False, ncols=3, fontsize=8)
    figure.savefig(path, dpi=120)
