"""The training loop. It knows a model by its weights, and what the model learns by its :class:`Task`.

A run lives in a folder:

    model.safetensors    the weights that did best on held-out data (the last ones if asked, or without such data)
    state.safetensors    everything that `resume` needs: weights and optimiser in float32, progress
    metrics.jsonl        one JSON object per line: the metrics of each evaluation

Randomness: the noise of update i is drawn from (seed, i), as its batch is, so that a stopped and resumed training takes
the same path as an uninterrupted one, to the bit on a CPU. (The learning rate falls with the share of the budget that
is spent: with a budget of minutes it follows the clock, and no two runs are the same.)
"""

from __future__ import annotations

import json
import math
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any, TypeVar

import torch
from torch import Tensor, nn

from melodyvae.config import TrainConfig, from_dict, override, to_dict, without_budget
from melodyvae.device import autocast
from melodyvae.models.checkpoint import read_tensors, write_tensors
from melodyvae.models.loss import LossTerms, weighted_loss
from melodyvae.network.checkpoint import CheckpointError, read_arrays
from melodyvae.ranks import ALONE, Ranks
from melodyvae.system.errors import UserError
from melodyvae.system.files import whole_file
from melodyvae.training.schedules import kl_weight, steered
from melodyvae.training.task import Metrics, Progress, Task

MODEL_FILE = "model.safetensors"
STATE_FILE = "state.safetensors"
METRICS_FILE = "metrics.jsonl"
UPDATES_BETWEEN_REPORTS = 20
SEEDS_A_RANK = 1_000_000_007  # further than any training has updates
MAY_CHANGE_ON_RESUME = ("max_updates", "max_minutes", "evaluate_every", "save_every_minutes")


Model = TypeVar("Model")  # the configuration of a model
Training = TypeVar("Training", bound=TrainConfig)


class TrainingDiverged(UserError, RuntimeError):  # noqa: N818 - the name says what happened
    """The loss is no longer a finite number."""


class Trainer:
    """Trains the model of one task in one run folder.

    Args:
        task: what is learned; its model is left on ``device``.
        config: the budget, the optimiser and the objective.
        folder: the run folder; made if missing.
        device: the CPU by default.
        precision: see :func:`melodyvae.device.autocast`.
        ranks: the processes that train together.

    Raises:
        ValueError: if there is no budget.
    """

    def __init__(
        self,
        task: Task,
        config: TrainConfig,
        folder: Path,
        device: torch.device | None = None,
        *,
        precision: str = "auto",
        ranks: Ranks = ALONE,
    ) -> None:
        if config.max_updates is None and config.max_minutes is None:
            raise ValueError("the training has no budget: give max_updates, max_minutes or both")
        self.task = task
        self.config = config
        self.folder = folder
        self.device = device or torch.device("cpu")
        self.precision = precision
        self.ranks = ranks
        self.model = task.model.to(self.device)
        self.optimizer = torch.optim.Adam(self.model.parameters(), lr=config.learning_rate)
        self._forward = ranks.share(_LossTerms(task))
        self.generator = torch.Generator(self.device)
        self.steering = torch.ones((), device=self.device)  # what beta is multiplied by, to reach a target rate
        self.update = 0
        self.best_loss = math.inf
        self.metrics: Metrics = {}
        self._since_report: list[Tensor] = []
        self._has_model = False
        self._stop_asked = False
        self._minutes_before = 0.0
        self._started = time.monotonic()

    @property
    def progress(self) -> Progress:
        """Current progress of the training."""
        minutes = self._minutes_before + (time.monotonic() - self._started) / 60
        shares = [0.0]
        if self.config.max_updates is not None:
            shares.append(self.update / self.config.max_updates)
        if self.config.max_minutes is not None:
            shares.append(minutes / self.config.max_minutes)
        return Progress(self.update, minutes, min(max(shares), 1.0), dict(self.metrics))

    def stop(self) -> None:
        """Ask :meth:`run` to end after the current update and to save; safe to call from a signal handler."""
        self._stop_asked = True

    def run(self) -> Iterator[Progress]:
        """Train until the budget is spent or :meth:`stop` is called, yielding progress now and then.

        However it ends, but for an error, the folder then holds a state to resume from and a model.

        Raises:
            TrainingDiverged: when the loss or its gradient is not finite. The files of the last save stay as they were.
        """
        if self.ranks.is_first:
            self.folder.mkdir(parents=True, exist_ok=True)
        self._started = last_save = time.monotonic()
        self.model.train()
        if self.task.evaluate_first and self.update == 0:
            self._evaluate()
        evaluated_at = self.update
        while True:
            share, stop_asked = self.ranks.largest([self.progress.share * self.ranks.is_first, self._stop_asked])
            if share >= 1 or stop_asked:
                break
            terms, gradient_norm = self._make_update(share)
            self._since_report.append(
                torch.stack([terms.reconstruction.detach().mean(), terms.kl.detach().mean(), gradient_norm])
            )
            due = self.update % self.config.evaluate_every == 0
            if not due and len(self._since_report) < UPDATES_BETWEEN_REPORTS:
                continue
            self._report()
            if due:
                self._evaluate()
                evaluated_at = self.update
            if time.monotonic() - last_save > 60 * self.config.save_every_minutes:
                self.save_state()
                last_save = time.monotonic()
            yield self.progress
        self._stop_asked = False  # so that run may be called again
        self._report()
        if share >= 1 and evaluated_at < self.update:
            self._evaluate()
        if not self._has_model:
            self._save_model()
        self.save_state()
        yield self.progress

    def save_state(self) -> None:
        """Write ``state.safetensors``: what :meth:`resume` needs, exactly; the first rank does, for all."""
        if not self.ranks.is_first:
            return
        tensors = {f"model.{name}": value for name, value in self.model.state_dict().items()}
        for index, entry in self.optimizer.state_dict()["state"].items():
            tensors |= {f"adam.{index}.{name}": value for name, value in entry.items()}
        tensors["steering"] = self.steering
        progress = self.progress
        header = {
            "update": progress.update,
            "minutes": progress.minutes,
            "best_loss": self.best_loss if math.isfinite(self.best_loss) else None,
            "metrics": self.metrics,
            "training": to_dict(self.config),
            "sizes": dict(self.task.sizes),
            "learns_from": dict(self.task.fingerprint),
            "origin": dict(self.task.origin),
        }
        cpu = {name: value.detach().cpu().contiguous() for name, value in tensors.items()}
        write_tensors(cpu, header, self.folder / STATE_FILE)

    def resume(self) -> None:
        """Continue from ``state.safetensors`` in the run folder; lines of ``metrics.jsonl`` after it are dropped.

        A training that was killed before it saved anything starts from the beginning.

        Raises:
            CheckpointError: if it is missing, truncated, of another model, or of a training with other settings or
                data. The budget, and when to evaluate and to save, may differ.
        """
        path = self.folder / STATE_FILE
        if not path.is_file() and (self.folder / METRICS_FILE).is_file():  # it was killed before it saved anything
            self._drop_metrics_after(-1)
            return
        if not path.is_file():
            raise CheckpointError(f"{self.folder} holds no {STATE_FILE}; there is no training to resume")
        tensors, header = read_tensors(path)
        if "training" not in header:
            raise CheckpointError(f"{path} is not a training state")
        weights = {k.removeprefix("model."): v for k, v in tensors.items() if k.startswith("model.")}
        sizes = {name: tuple(value.shape) for name, value in weights.items()}
        if sizes != {name: tuple(value.shape) for name, value in self.model.state_dict().items()}:
            raise CheckpointError(f"{path} is of a model with other sizes; leave its options out, or give those it had")
        self._check_same_training(header)
        self.model.load_state_dict(weights)
        adam: dict[int, dict[str, Tensor]] = {}
        for name, value in tensors.items():
            if name.startswith("adam."):
                _, index, key = name.split(".")
                adam.setdefault(int(index), {})[key] = value
        groups = self.optimizer.state_dict()["param_groups"]
        self.optimizer.load_state_dict({"state": adam, "param_groups": groups})
        self.steering = tensors["steering"].to(self.device)
        self.task.origin = header.get("origin", self.task.origin)
        self.update = header["update"]
        self.metrics = header["metrics"]
        self.best_loss = math.inf if header["best_loss"] is None else header["best_loss"]
        self._has_model = (self.folder / MODEL_FILE).is_file()
        self._minutes_before = header["minutes"]
        self._started = time.monotonic()
        self._drop_metrics_after(self.update)

    def _check_same_training(self, header: dict[str, Any]) -> None:
        defaults = to_dict(type(self.config)())  # what a setting was before there was a choice
        before = {**defaults, **header["training"], **header.get("learns_from", {})}
        now = {**to_dict(self.config), **self.task.fingerprint}
        different = [
            f"{name} is another" if isinstance(now[name], dict) else f"{name} was {before.get(name)} and is {now[name]}"
            for name in now
            if name not in MAY_CHANGE_ON_RESUME and before.get(name) != now.get(name)
        ]
        if different:
            raise CheckpointError(
                f"{self.folder} holds another training: {'; '.join(different)}. Give the options and the data that it "
                "was started with, or choose another folder."
            )

    def _drop_metrics_after(self, update: int) -> None:
        path = self.folder / METRICS_FILE
        if path.is_file() and self.ranks.is_first:
            kept = [line for line in read_metrics(self.folder) if line["update"] <= update]
            with whole_file(path) as temporary:
                temporary.write_text("".join(json.dumps(line) + "\n" for line in kept), encoding="utf-8")

    def _make_update(self, share: float) -> tuple[LossTerms, Tensor]:
        """Learn from one batch: its loss terms, and the norm of the gradient before clipping."""
        config = self.config
        self.generator.manual_seed(config.seed * 1_000_003 + self.update + self.ranks.rank * SEEDS_A_RANK)
        for group in self.optimizer.param_groups:
            group["lr"] = learning_rate(config, self.update, share)
        with autocast(self.device, self.precision):
            terms: LossTerms = self._forward(self.update, self.generator)
        beta = kl_weight(config, self.update) * self.steering
        loss = weighted_loss(terms, beta.to(terms.kl), config.free_nats)
        self.optimizer.zero_grad(set_to_none=True)
        torch.autograd.backward(loss)
        gradient_norm = nn.utils.clip_grad_norm_(self.model.parameters(), config.gradient_clip)
        self.optimizer.step()
        if config.target_bits is not None:
            self.steering = steered(self.steering, self.ranks.mean(terms.kl.detach().mean()), config, self.update)
        self.update += 1
        return terms, gradient_norm

    def _report(self) -> None:
        """Take the means over the updates since the last report into the metrics; called before each save."""
        if not self._since_report:
            return
        reconstruction, kl, gradient_norm = self.ranks.mean(torch.stack(self._since_report).mean(dim=0)).tolist()
        self._since_report.clear()
        if not math.isfinite(reconstruction + kl + gradient_norm):
            raise TrainingDiverged(
                f"the loss stopped being a number before update {self.update} (reconstruction {reconstruction}, "
                f"KL {kl}, gradient {gradient_norm}). Try a lower learning rate than {self.config.learning_rate} or a "
                f"lower gradient clip than {self.config.gradient_clip}; the last saved state is untouched."
            )
        self.metrics |= {"reconstruction": reconstruction, "kl": kl}

    def _evaluate(self) -> None:
        if not self.ranks.is_first:
            return
        improved = True
        self.model.eval()
        with torch.inference_mode(), autocast(self.device, self.precision):
            metrics = self.task.evaluate()
        self.model.train()
        if metrics is not None:
            self.metrics |= {f"held_out_{name}": value for name, value in metrics.items()}
            improved = metrics["loss"] <= self.best_loss or self.config.keep == "last"
            self.best_loss = min(self.best_loss, metrics["loss"])
        progress = self.progress
        with (self.folder / METRICS_FILE).open("a", encoding="utf-8") as file:
            line = {
                "update": progress.update,
                "minutes": round(progress.minutes, 3),
                "examples": progress.update * self.config.batch_size,
                "beta": kl_weight(self.config, max(self.update - 1, 0)) * self.steering.item(),
                "learning_rate": self.optimizer.param_groups[0]["lr"],
                **{name: round(value, 5) for name, value in self.metrics.items()},
            }
            file.write(json.dumps(line) + "\n")
        if improved:
            self._save_model()

    def _save_model(self) -> None:
        """Write the model, and then the state, so that after a crash the state knows of the best weights."""
        if self.ranks.is_first:
            self.task.save(self.folder / MODEL_FILE, self.metrics, self.progress)
        self._has_model = True
        self.save_state()


class _LossTerms(nn.Module):
    """A task's loss terms as a module, which is what gradients can be averaged for."""

    def __init__(self, task: Task) -> None:
        super().__init__()
        self.model = task.model
        self._task = task

    def forward(self, update: int, generator: torch.Generator) -> LossTerms:
        """The terms of an update."""
        return self._task.loss_terms(update, generator)


def learning_rate(config: TrainConfig, update: int, share: float) -> float:
    """Adam's rate at an update: a linear warm-up, then half a cosine down to 0 where the budget's share reaches 1.

    "SGDR: Stochastic Gradient Descent with Warm Restarts" (Loshchilov, Hutter, 2016), without restarts:
    https://arxiv.org/abs/1608.03983
    """
    warmup = min((update + 1) / config.warmup_updates, 1.0) if config.warmup_updates else 1.0
    return config.learning_rate * warmup * 0.5 * (1.0 + math.cos(math.pi * min(share, 1.0)))


def options_of_run(
    folder: Path, model: type[Model], training: type[Training], **changes: Any
) -> tuple[Model, Training] | None:
    """The configurations that the training in ``folder`` was started with, every change that is not None applied.

    A budget given among ``changes`` (``max_updates``, ``max_minutes``) replaces the run's. None if the folder does not
    tell.

    Raises:
        CheckpointError: if its state cannot be read.
        ConfigError: on a change that the configuration refuses.
    """
    path = folder / STATE_FILE
    header = read_arrays(path)[1] if path.is_file() else {}
    if not header.get("sizes") or "training" not in header:
        return None
    config = from_dict(training, header["training"])
    return from_dict(model, header["sizes"]), override(without_budget(config, changes), **changes)


def read_metrics(folder: Path) -> list[dict[str, Any]]:
    """The lines of a run's ``metrics.jsonl``, oldest first."""
    text = (folder / METRICS_FILE).read_text(encoding="utf-8")
    whole_lines = text[: text.rfind("\n") + 1].splitlines()  # a training that is killed may leave half of one
    return [json.loads(line) for line in whole_lines]
