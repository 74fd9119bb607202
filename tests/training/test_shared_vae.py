"""One suite for every model: melodies and digits share latent, objective, trainer and checkpoint, and behave alike."""

from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

import pytest
import torch

from melodyvae.config import TrainConfig
from melodyvae.digits.config import DigitsConfig
from melodyvae.digits.data import DigitBatches, Digits, binarise
from melodyvae.digits.model import DigitVAE
from melodyvae.models.checkpoint import load_checkpoint
from melodyvae.models.latent import DiagonalGaussian
from melodyvae.models.loss import LossTerms, weighted_loss
from melodyvae.models.melody import MelodyModel
from melodyvae.network.checkpoint import CheckpointError
from melodyvae.presets import PRESETS
from melodyvae.training.trainer import MODEL_FILE, Trainer, read_metrics
from tests.digits.idx_files import blobs
from tests.training.tasks import FunctionTask
from tests.windows import random_windows

SMALL = {"latent_size": 5, "hidden_size": 24, "channels": 4}
EXAMPLES = 64
BATCH = 8


@dataclass(frozen=True)
class Subject:
    """A model, what it is called with, and the loss terms of a training on it."""

    make: Callable[[], torch.nn.Module]
    example: Callable[[torch.nn.Module], tuple[torch.Tensor, ...]]
    terms: Callable[[torch.nn.Module, int, torch.Generator], LossTerms]
    variational: bool = True


def melody_example(_) -> tuple[torch.Tensor, ...]:
    return (torch.from_numpy(random_windows(6)).long(),)


def melody_terms(model, update: int, generator: torch.Generator) -> LossTerms:
    windows = torch.from_numpy(random_windows(EXAMPLES)).long()
    rows = torch.arange(update * BATCH, (update + 1) * BATCH) % EXAMPLES
    return model.loss_terms(windows[rows], generator)


def digit_set() -> Digits:
    images, labels = blobs(EXAMPLES)
    return Digits(torch.from_numpy(images), torch.from_numpy(labels))


def digit_example(model) -> tuple[torch.Tensor, ...]:
    digits = digit_set()[:6]
    return (digits.grey().round(), digits.labels) if model.config.labels else (digits.grey().round(),)


def digit_terms(model, update: int, generator: torch.Generator) -> LossTerms:
    batch = DigitBatches(digit_set(), BATCH)(update)
    labels = batch.labels if model.config.labels else None
    return model.loss_terms(binarise(batch.grey(), generator), generator, labels)


def digit_subject(**sizes) -> Subject:
    config = DigitsConfig(**SMALL, **sizes)
    return Subject(lambda: DigitVAE(config), digit_example, digit_terms, config.variational)


SUBJECTS = {
    "melody": Subject(lambda: MelodyModel(PRESETS["tiny"].model), melody_example, melody_terms),
    "digits-dense": digit_subject(),
    "digits-conv": digit_subject(network="conv"),
    "digits-labels": digit_subject(labels=True),
    "digits-plain": digit_subject(variational=False),
}


@pytest.fixture(params=SUBJECTS)
def subject(request):
    return SUBJECTS[request.param]


@pytest.fixture
def model(subject):
    torch.manual_seed(0)
    return subject.make()


def loss_terms(model, subject, seed=0) -> LossTerms:
    inputs, *labels = subject.example(model)
    return model.loss_terms(inputs, torch.Generator().manual_seed(seed), *labels)


def test_loss_terms_are_one_number_an_example(model, subject):
    terms = loss_terms(model, subject)
    assert terms.reconstruction.shape == terms.kl.shape == (6,)
    assert (terms.reconstruction > 0).all()
    assert (terms.kl >= 0).all()
    torch.testing.assert_close(terms.negative_elbo(), terms.reconstruction + terms.kl)


def test_the_loss_is_the_mean_over_the_batch_of_both_halves(model, subject):
    terms = loss_terms(model, subject)
    pairs = zip(terms.reconstruction.tolist(), terms.kl.tolist(), strict=True)
    expected = sum(reconstruction + 0.3 * max(kl - 0.01, 0) for reconstruction, kl in pairs) / 6
    assert weighted_loss(terms, beta=0.3, free_nats=0.01).item() == pytest.approx(expected, rel=1e-5)


def test_reconstruction_is_a_sum_over_the_example(model, subject):
    """An untrained model is about as wrong as chance is, at every step or pixel."""
    positions, choices = (32, 90) if isinstance(model, MelodyModel) else (784, 2)
    chance = positions * torch.log(torch.tensor(float(choices)))
    assert 0.7 * chance < loss_terms(model, subject).reconstruction.mean() < 1.3 * chance


def test_kl_is_that_of_torch_distributions(model, subject):
    posterior = model.encode(*subject.example(model))
    assert isinstance(posterior, DiagonalGaussian)
    if not subject.variational:
        assert (posterior.log_variance == -torch.inf).all()
        return
    normal = torch.distributions.Normal(posterior.mean.double(), (0.5 * posterior.log_variance.double()).exp())
    standard = torch.distributions.Normal(0.0, 1.0)
    expected = torch.distributions.kl_divergence(normal, standard).sum(dim=-1)
    torch.testing.assert_close(loss_terms(model, subject).kl.double(), expected, rtol=1e-4, atol=1e-6)


def test_the_same_generator_gives_the_same_terms(model, subject):
    first, again = loss_terms(model, subject, seed=7), loss_terms(model, subject, seed=7)
    assert torch.equal(first.reconstruction, again.reconstruction)
    if subject.variational:
        assert not torch.equal(first.reconstruction, loss_terms(model, subject, seed=8).reconstruction)


def test_gradient_reaches_every_parameter(model, subject):
    weighted_loss(loss_terms(model, subject), beta=1.0).backward()
    parameters = dict(model.named_parameters())
    assert len(parameters) >= 8
    unreached = [name for name, weight in parameters.items() if weight.grad is None or not weight.grad.abs().sum() > 0]
    assert unreached == []


def test_a_checkpoint_comes_back_as_it_was(model, subject, tmp_path):
    model.metrics, model.provenance = {"test": {"kl_nats": 3.0}}, {"command": "melodyvae"}
    path = tmp_path / "model.safetensors"
    model.save(path, dtype=torch.float32)
    again = type(model).from_pretrained(path)
    assert (again.config, again.metrics, again.provenance) == (model.config, model.metrics, model.provenance)
    assert load_checkpoint(path).kind == type(model).KIND
    assert not again.training
    expected, found = loss_terms(model.eval(), subject), loss_terms(again, subject)
    assert torch.equal(found.reconstruction, expected.reconstruction)
    assert torch.equal(found.kl, expected.kl)


def test_another_kind_of_model_is_refused(model, tmp_path):
    model.save(tmp_path / "model.safetensors")
    other = MelodyModel if isinstance(model, DigitVAE) else DigitVAE
    with pytest.raises(CheckpointError, match=f"is a {type(model).KIND} model"):
        other.from_pretrained(tmp_path / "model.safetensors")


def train(subject: Subject, folder: Path, stop_after: int | None = None, resume: bool = False) -> torch.nn.Module:
    """A short training; with ``stop_after`` it is stopped at the first report at or after that update."""
    torch.manual_seed(0)
    model = subject.make()
    config = TrainConfig(
        batch_size=BATCH, max_updates=30, learning_rate=5e-3, warmup_updates=5, anneal_updates=20, evaluate_every=5
    )
    task = FunctionTask(
        model,
        lambda update, generator: subject.terms(model, update, generator),
        lambda path, _, __: model.save(path, dtype=torch.float32),
    )
    trainer = Trainer(task, config, folder, precision="fp32")
    if resume:
        trainer.resume()
    for progress in trainer.run():
        if stop_after is not None and progress.update >= stop_after:
            trainer.stop()
    return model


def test_training_lowers_the_loss(subject, tmp_path):
    train(subject, tmp_path)
    lines = read_metrics(tmp_path)
    assert [line["update"] for line in lines] == [5, 10, 15, 20, 25, 30]
    assert lines[-1]["reconstruction"] < 0.9 * lines[0]["reconstruction"]


def test_stopped_and_resumed_is_the_same_as_uninterrupted(subject, tmp_path):
    expected = train(subject, tmp_path / "whole").state_dict()
    train(subject, tmp_path / "parts", stop_after=10)
    found = train(subject, tmp_path / "parts", resume=True).state_dict()
    assert found.keys() == expected.keys()
    assert all(torch.equal(found[name], value) for name, value in expected.items())
    whole, parts = ([without_minutes(line) for line in read_metrics(tmp_path / name)] for name in ("whole", "parts"))
    assert whole == parts
    assert (tmp_path / "parts" / MODEL_FILE).is_file()


def without_minutes(line: dict) -> dict:
    return {**line, "minutes": None}
