"""Training speed: windows per second, in float32 and bf16, beside the machine's peak of matrix products.

    python -m tests.benchmarks.training_speed [--presets melody-2bar musicvae-small] [--batch 512] [--device cpu]

The recurrent layers are PyTorch's ``nn.LSTM``. Their share of the roofline is the time that their products would take
at the rate of one large product of the same type, measured in the same run, over the time that they take, forward and
back. ``--profile`` prints where the rest of an update goes.

The time to a held-out accuracy is measured by ``python -m tests.benchmarks.learning_speed``.
"""

from __future__ import annotations

import argparse
from collections.abc import Callable, Iterator
from pathlib import Path

import torch
from torch import nn

from melodyvae.datasets.batches import TrainingBatches
from melodyvae.device import autocast, choose_device, use_threads
from melodyvae.models.melody import MelodyModel
from melodyvae.presets import PRESETS
from melodyvae.training.trainer import Trainer
from tests.benchmarks.gemm_flops import Recurrent, layer_training_flops, recurrent_layers, training_flops
from tests.benchmarks.side_by_side import Row, fastest_seconds, print_table
from tests.training.tasks import FunctionTask
from tests.windows import random_windows

PRECISIONS = {"fp32": torch.float32, "bf16": torch.bfloat16}
LARGE = 2048  # rows and columns of the product that the roofline is measured by


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--presets", nargs="+", default=["melody-2bar", "musicvae-small"])
    parser.add_argument("--batch", type=int, default=512)
    parser.add_argument("--device", default="auto")
    parser.add_argument("--threads", type=int)
    parser.add_argument("--profile", action="store_true")
    arguments = parser.parse_args()
    use_threads(arguments.threads)
    device = choose_device(arguments.device)
    print_table(row for name in arguments.presets for row in rows(name, arguments.batch, device))
    if arguments.profile:
        for name in arguments.presets:
            update = update_of(name, arguments.batch, "bf16", device)
            update()
            with torch.profiler.profile() as profile:
                update()
            print(profile.key_averages().table(sort_by="self_cpu_time_total", row_limit=12, max_name_column_width=48))


def rows(preset: str, batch: int, device: torch.device) -> Iterator[Row]:
    """The lines of one preset."""
    config = PRESETS[preset].model
    plain, reduced = fastest_seconds([update_of(preset, batch, name, device) for name in PRECISIONS])
    at_batch = f"{preset}, batch {batch}"
    yield Row(
        f"training {at_batch}, bf16",
        f"{batch / reduced:.0f} windows/s",
        f"{batch / plain:.0f} in fp32",
        plain / reduced,
    )
    if config.segment_bars is not None:
        return
    layers = recurrent_layers(config).values()
    for name, dtype in PRECISIONS.items():
        rate = matmul_rate(dtype, device)
        alone = sum(fastest_seconds([recurrence(layer, config.steps, batch, name, device) for layer in layers]))
        of_layers = batch * sum(layer_training_flops(layer, config.steps) for layer in layers)
        of_update = batch * training_flops(config)
        for what, flops, seconds in (
            ("recurrent layers", of_layers, alone),
            ("whole update", of_update, plain if name == "fp32" else reduced),
        ):
            yield Row(
                f"its {what}, {name}, as a share of the roofline",
                f"{flops / seconds / 1e9:.0f} GFLOP/s",
                f"{rate / 1e9:.0f} GFLOP/s of a large product",
                flops / seconds / rate,
            )


def update_of(preset: str, batch: int, precision: str, device: torch.device) -> Callable[[], None]:
    """One update of the training loop, on windows of random notes."""
    chosen = PRESETS[preset]
    torch.manual_seed(0)
    model = MelodyModel(chosen.model)
    batches = TrainingBatches(random_windows(2 * batch, chosen.model.steps), batch, 0, 5, 6)
    task = FunctionTask(model, lambda update, generator: model.loss_terms(batches(update).to(device), generator))
    trainer = Trainer(task, chosen.training, Path(), device, precision=precision)  # nothing is written

    def update() -> None:
        trainer._make_update(0.0)
        _wait(device)

    return update


def recurrence(layer: Recurrent, steps: int, batch: int, precision: str, device: torch.device) -> Callable[[], None]:
    """An LSTM alone, forward and back."""
    lstm = nn.LSTM(layer.input_size, layer.size, layer.layers, bidirectional=layer.directions == 2).to(device)
    inputs = torch.randn(steps, batch, layer.input_size, device=device, requires_grad=layer.input_needs_gradient)

    def there_and_back() -> None:
        with autocast(device, precision):
            outputs, _ = lstm(inputs)
        outputs.backward(torch.ones_like(outputs))
        _wait(device)

    return there_and_back


def matmul_rate(dtype: torch.dtype, device: torch.device) -> float:
    """FLOPs per second of one large product."""
    left, right = (torch.randn(LARGE, LARGE, device=device).to(dtype) for _ in range(2))

    def product() -> None:
        torch.mm(left, right)
        _wait(device)

    return 2 * LARGE**3 / fastest_seconds([product], repeats=10)[0]


def _wait(device: torch.device) -> None:
    if device.type == "cuda":
        torch.cuda.synchronize()


if __name__ == "__main__":
    main()
