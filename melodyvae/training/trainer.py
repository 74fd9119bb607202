"""The training loop. It knows a model only by its weights, and what it learns only by the loss terms of an update.

A run lives in a folder:

    model.safetensors    the weights that did best on held-out data (the last ones where none is held out)
    state.safetensors    everything that `resume` needs: weights and optimiser in float32, progress
    metrics.jsonl        one JSON object a line: the figures at each evaluation

Randomness: the noise of update i is drawn from (seed, i), as its batch is, so that a stopped and resumed training takes
the same path as an uninterrupted one, to the bit on a CPU. (The learning rate falls with the share of the budget that
is spent: with a budget of minutes it follows the clock, and no two runs are the same.)

Contents: :class:`Trainer`, :class:`Progress`, :class:`TrainingDiverged`.
"""

from __future__ import annotations

import json
import math
import time
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import torch
from torch import Tensor, nn

from data_prep.errors import UserError
from data_prep.files import whole_file
from melodyvae.config import TrainConfig, to_dict
from melodyvae.device import autocast
from melodyvae.models.checkpoint import CheckpointError, read_tensors, write_tensors
from melodyvae.models.loss import LossTerms, weighted_loss
from melodyvae.ranks import ALONE, Ranks
from melodyvae.training.schedules import kl_weight, steered

MODEL_FILE = "model.safetensors"
STATE_FILE = "state.safetensors"
METRICS_FILE = "metrics.jsonl"
UPDATES_BETWEEN_REPORTS = 20
SEEDS_A_RANK = 1_000_000_007  # further than any training has updates
MAY_CHANGE_ON_RESUME = ("max_updates", "max_minutes", "evaluate_every", "save_every_minutes")

Metrics = dict[str, float]


class TrainingDiverged(UserError, RuntimeError):  # noqa: N818 - the name says what happened
    """The loss is no longer a finite number."""


@dataclass(frozen=True)
class Progress:
    """Where a training stands.

    Attributes:
        update: updates made.
        minutes: time spent training, over all sessions of the run.
        share: part of the budget that is used up, 0 to 1.
        metrics: the latest figures: ``reconstruction`` and ``kl`` of the training batches (nats), ``held_out_*``.
    """

    update: int
    minutes: float
    share: float
    metrics: Metrics


class Trainer:
    """Trains one model in one run folder.

    Args:
        model: trained in place and left on ``device``.
        config: the budget, the optimiser and the objective. Without any budget ``run`` raises ``ValueError``.
        loss_terms: the loss terms of the model for the batch of an update, each ``(B,)`` in nats; called with
            ``(update, generator)``. The batch must depend on the update's number alone, the noise on the generator.
        evaluate: held-out figures of the model; with ``loss`` among them (lower is better) the best weights are kept.
        save_model: writes the model with its figures to a path; called with ``(path, metrics, progress)``.
        folder: the run folder; made if missing.
        learns_from: what else makes this training this one, such as the hash of its data; on resuming it must be the
            same.
        look_first: look at the held-out data before the first update, too: the weights are not new.
        rates: by the beginning of parameters' names, what their learning rate is multiplied by; 0 leaves them alone.
        some_rest: some weights that are trained have no part in the loss of some updates.
        ranks: the processes that train together; ``loss_terms`` are those of this one's part of the batch.
    """

    def __init__(
        self,
        model: nn.Module,
        config: TrainConfig,
        loss_terms: Callable[[int, torch.Generator], LossTerms],
        folder: Path,
        save_model: Callable[[Path, Metrics, Progress], None],
        evaluate: Callable[[], Metrics] | None = None,
        device: torch.device | None = None,
        precision: str = "auto",
        learns_from: dict[str, Any] | None = None,
        look_first: bool = False,
        rates: Mapping[str, float] | None = None,
        some_rest: bool = False,
        ranks: Ranks = ALONE,
    ) -> None:
        if config.max_updates is None and config.max_minutes is None:
            raise ValueError("the training has no budget: give max_updates, max_minutes or both")
        self.device = device or torch.device("cpu")
        self.model = model.to(self.device)
        self.config = config
        self.loss_terms = loss_terms
        self.folder = folder
        self.save_model = save_model
        self.evaluate = evaluate
        self.precision = precision
        self.learns_from = learns_from or {}
        self.look_first = look_first
        self.ranks = ranks
        self.optimizer = torch.optim.Adam(_parameter_groups(model, rates or {}), lr=config.learning_rate)
        self._forward = ranks.share(_LossTerms(self), some_rest)
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
        """Where the training stands now."""
        minutes = self._minutes_before + (time.monotonic() - self._started) / 60
        shares = [0.0]
        if self.config.max_updates is not None:
            shares.append(self.update / self.config.max_updates)
        if self.config.max_minutes is not None:
            shares.append(minutes / self.config.max_minutes)
        return Progress(self.update, minutes, min(max(shares), 1.0), dict(self.metrics))

    def stop(self) -> None:
        """Ask :meth:`run` to end after the update at hand and to save; safe to call from a signal handler."""
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
        if self.look_first and self.update == 0:
            self._look_at_held_out()
        looked_at = self.update
        while True:
            share, stop_asked = self.ranks.largest([self.progress.share * self.ranks.is_first, self._stop_asked])
            if share >= 1 or stop_asked:
                break
            terms, gradient_norm = self._make_update(share)
            self._since_report.append(
                torch.stack([terms.reconstruction.detach().mean(), terms.kl.detach().mean(), gradient_norm])
            )
            look = self.update % self.config.evaluate_every == 0
            if not look and len(self._since_report) < UPDATES_BETWEEN_REPORTS:
                continue
            self._report()
            if look:
                self._look_at_held_out()
                looked_at = self.update
            if time.monotonic() - last_save > 60 * self.config.save_every_minutes:
                self.save_state()
                last_save = time.monotonic()
            yield self.progress
        self._stop_asked = False  # so that run may be called again
        self._report()
        if share >= 1 and looked_at < self.update:
            self._look_at_held_out()
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
            "learns_from": self.learns_from,
        }
        cpu = {name: value.detach().cpu().contiguous() for name, value in tensors.items()}
        write_tensors(cpu, header, self.folder / STATE_FILE)

    def resume(self) -> None:
        """Continue from ``state.safetensors`` in the run folder; lines of ``metrics.jsonl`` after it are dropped.

        Raises:
            CheckpointError: if it is missing, truncated, of another model, or of a training with other settings or
                data. The budget, and when to look and to save, may differ.
        """
        path = self.folder / STATE_FILE
        if not path.is_file():
            raise CheckpointError(f"{self.folder} holds no {STATE_FILE}; there is no training to resume")
        tensors, header = read_tensors(path)
        if "training" not in header:
            raise CheckpointError(f"{path} is no state of a training")
        weights = {k.removeprefix("model."): v for k, v in tensors.items() if k.startswith("model.")}
        sizes = {name: tuple(value.shape) for name, value in weights.items()}
        if sizes != {name: tuple(value.shape) for name, value in self.model.state_dict().items()}:
            raise CheckpointError(f"{path} is of a model with other sizes; give the options it was started with")
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
        now = {**to_dict(self.config), **self.learns_from}
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
            group["lr"] = learning_rate(config, self.update, share) * group["rate"]
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
        """Take the means over the updates since the last report into the metrics; called before whatever is saved."""
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

    def _look_at_held_out(self) -> None:
        if not self.ranks.is_first:
            return
        improved = True
        if self.evaluate is not None:
            self.model.eval()
            with torch.inference_mode(), autocast(self.device, self.precision):
                found = self.evaluate()
            self.model.train()
            self.metrics |= {f"held_out_{name}": value for name, value in found.items()}
            improved = found["loss"] <= self.best_loss
            self.best_loss = min(self.best_loss, found["loss"])
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
            self.save_model(self.folder / MODEL_FILE, self.metrics, self.progress)
        self._has_model = True
        self.save_state()


class _LossTerms(nn.Module):
    """The trainer's loss terms as a module, which is what gradients can be averaged for."""

    def __init__(self, trainer: Trainer) -> None:
        super().__init__()
        self.model = trainer.model
        self._trainer = trainer

    def forward(self, update: int, generator: torch.Generator) -> LossTerms:
        """The terms of an update."""
        return self._trainer.loss_terms(update, generator)


def learning_rate(config: TrainConfig, update: int, share: float) -> float:
    """Adam's rate at an update: a linear warm-up, then half a cosine down to 0 where the budget's share reaches 1.

    "SGDR: Stochastic Gradient Descent with Warm Restarts" (Loshchilov, Hutter, 2016), without restarts:
    https://arxiv.org/abs/1608.03983
    """
    warmup = min((update + 1) / config.warmup_updates, 1.0) if config.warmup_updates else 1.0
    return config.learning_rate * warmup * 0.5 * (1.0 + math.cos(math.pi * min(share, 1.0)))


def _parameter_groups(model: nn.Module, rates: Mapping[str, float]) -> list[dict[str, Any]]:
    """The model's parameters by the factor of their learning rate, those of 0 frozen and left out."""
    groups: dict[float, list[nn.Parameter]] = {1.0: []}
    for name, parameter in model.named_parameters():
        rate = next((rate for start, rate in rates.items() if name.startswith(start)), 1.0)
        parameter.requires_grad_(rate > 0)
        if rate > 0:
            groups.setdefault(rate, []).append(parameter)
    return [{"params": parameters, "rate": rate} for rate, parameters in groups.items()]


def read_metrics(folder: Path) -> list[dict[str, Any]]:
    """The lines of a run's ``metrics.jsonl``, oldest first."""
    lines = (folder / METRICS_FILE).read_text(encoding="utf-8").splitlines()
    return [json.loads(line) for line in lines]
