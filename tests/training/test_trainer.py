"""The loop: it learns, it stops and goes on exactly, it keeps the best, and it says when it diverges."""

import json
import math
from dataclasses import replace
from pathlib import Path

import pytest
import torch

from melodyvae.config import ConfigError, MelodyConfig, MelodyTrainConfig, TrainConfig, to_dict
from melodyvae.datasets.windows import open_dataset
from melodyvae.evaluation.reconstruction import reconstruction_metrics
from melodyvae.models.checkpoint import load_checkpoint
from melodyvae.models.loss import LossTerms, weighted_loss
from melodyvae.models.melody import MelodyModel
from melodyvae.network.checkpoint import CheckpointError
from melodyvae.presets import PRESETS
from melodyvae.training.melody import MelodyTask, build_model_and_config, melody_trainer
from melodyvae.training.schedules import teacher_forcing_share
from melodyvae.training.trainer import METRICS_FILE, MODEL_FILE, STATE_FILE, Trainer, TrainingDiverged, learning_rate
from tests.training.tasks import FunctionTask
from tests.windows import random_windows


class Bowl(torch.nn.Module):
    """A model with one weight, whose loss is its square: enough for a loop that knows a model only by its loss."""

    def __init__(self, start: float = 3.0) -> None:
        super().__init__()
        self.weight = torch.nn.Parameter(torch.tensor([start]))

    def loss_terms(self, update: int, generator: torch.Generator) -> LossTerms:
        noise = torch.randn(4, generator=generator)
        return LossTerms(self.weight.square() + 0.01 * noise, torch.zeros(4))


def bowl_trainer(folder, *, start=3.0, evaluate=None, saved=None, **changes) -> Trainer:
    bowl = Bowl(start)
    config = TrainConfig(**({"max_updates": 50, "learning_rate": 0.1, "evaluate_every": 10} | changes))
    note = saved if saved is not None else []
    task = FunctionTask(
        bowl,
        bowl.loss_terms,
        save=lambda path, metrics, progress: note.append((path, dict(metrics), progress)),
        evaluate=lambda: evaluate(bowl) if evaluate else None,
    )
    return Trainer(task, config, folder)


def finish(trainer: Trainer):
    return list(trainer.run())


def test_it_learns_until_the_budget_of_updates_is_spent(tmp_path):
    trainer = bowl_trainer(tmp_path, max_updates=200)
    progress = finish(trainer)
    assert progress[-1].update == 200
    assert progress[-1].share == 1
    assert abs(trainer.model.weight.item()) < 0.5


def test_a_budget_of_minutes_ends_too(tmp_path):
    trainer = bowl_trainer(tmp_path, max_updates=None, max_minutes=0.01)
    progress = finish(trainer)
    assert progress[-1].share == 1
    assert progress[-1].minutes >= 0.01


class TradeOff(Bowl):
    """Its reconstruction is perfect at a KL of 9 nats, its KL is 0 at the worst reconstruction."""

    def loss_terms(self, update: int, generator: torch.Generator) -> LossTerms:
        return LossTerms((self.weight - 3).square().expand(4), self.weight.square().expand(4))


@pytest.mark.parametrize("beta", [0.01, 20.0])
def test_beta_is_steered_to_the_target_rate(tmp_path, beta):
    model = TradeOff()
    config = TrainConfig(max_updates=4000, learning_rate=0.02, beta=beta, anneal_updates=10, target_bits=2.0)
    trainer = Trainer(FunctionTask(model, model.loss_terms), config, tmp_path)
    finish(trainer)
    assert model.weight.square().item() / math.log(2) == pytest.approx(2.0, rel=0.05)
    best = 3 / model.weight.item() - 1  # the beta whose optimum this is
    assert beta * trainer.steering.item() == pytest.approx(best, rel=0.1)


def test_a_training_without_a_budget_is_refused(tmp_path):
    with pytest.raises(ValueError, match="no budget"):
        bowl_trainer(tmp_path, max_updates=None)


def test_metrics_are_one_json_line_an_evaluation(tmp_path):
    finish(bowl_trainer(tmp_path, evaluate=lambda bowl: {"loss": bowl.weight.item() ** 2}))
    lines = [json.loads(line) for line in (tmp_path / METRICS_FILE).read_text().splitlines()]
    assert [line["update"] for line in lines] == [10, 20, 30, 40, 50]
    assert {"minutes", "examples", "beta", "learning_rate", "reconstruction", "kl", "held_out_loss"} <= set(lines[0])
    assert lines[0]["held_out_loss"] > lines[-1]["held_out_loss"]


def test_the_best_weights_on_held_out_data_are_kept(tmp_path):
    losses = iter([5.0, 3.0, 4.0, 2.5, 9.0])
    saved = []
    finish(bowl_trainer(tmp_path, evaluate=lambda bowl: {"loss": next(losses)}, saved=saved))
    assert [progress.update for _, _, progress in saved] == [10, 20, 40]
    assert {path for path, _, _ in saved} == {tmp_path / MODEL_FILE}


def test_the_last_weights_are_kept_on_request(tmp_path):
    losses = iter([5.0, 3.0, 4.0, 2.5, 9.0])
    saved = []
    finish(bowl_trainer(tmp_path, evaluate=lambda bowl: {"loss": next(losses)}, saved=saved, keep="last"))
    assert [progress.update for _, _, progress in saved] == [10, 20, 30, 40, 50]


def test_without_held_out_data_the_last_weights_are_kept(tmp_path):
    saved = []
    finish(bowl_trainer(tmp_path, saved=saved))
    assert saved[-1][2].update == 50


def test_nan_stops_with_a_sentence_and_leaves_the_saved_state(tmp_path):
    trainer = bowl_trainer(tmp_path)
    finish(trainer)
    before = (tmp_path / STATE_FILE).read_bytes()
    trainer = bowl_trainer(tmp_path, max_updates=200)
    trainer.resume()
    with torch.no_grad():
        trainer.model.weight.fill_(float("nan"))
    with pytest.raises(TrainingDiverged, match=r"stopped being a number.*lower learning rate"):
        finish(trainer)
    assert (tmp_path / STATE_FILE).read_bytes() == before


@pytest.mark.parametrize("poison", ["weight", "gradient"])
def test_nan_is_found_before_a_stop_saves_it(tmp_path, poison):
    finish(bowl_trainer(tmp_path, max_updates=5))
    before = (tmp_path / STATE_FILE).read_bytes()
    saved = []
    trainer = bowl_trainer(tmp_path, max_updates=200, saved=saved)
    trainer.resume()
    plain = trainer.task.loss_terms

    def poisoned(update, generator):
        if update == 7:
            trainer.stop()  # a Ctrl-C long before the next report
            if poison == "weight":
                trainer.model.weight.data.fill_(float("nan"))
            else:
                trainer.model.weight.register_hook(lambda gradient: gradient * float("nan"))
        return plain(update, generator)

    trainer.task.loss_terms = poisoned
    with pytest.raises(TrainingDiverged, match="stopped being a number"):
        finish(trainer)
    assert (tmp_path / STATE_FILE).read_bytes() == before
    assert saved == []


def test_a_stop_before_the_first_evaluation_leaves_a_model(tmp_path):
    saved = []
    trainer = bowl_trainer(tmp_path, evaluate=lambda bowl: {"loss": 1.0}, saved=saved)
    plain = trainer.task.loss_terms

    def stop_at_once(update, generator):
        trainer.stop()
        return plain(update, generator)

    trainer.task.loss_terms = stop_at_once
    finish(trainer)
    assert [progress.update for _, _, progress in saved] == [1]
    assert (tmp_path / STATE_FILE).is_file()


def test_after_a_kill_the_lines_that_come_again_are_dropped_and_the_best_is_known(tmp_path):
    """A run is killed after its evaluation at update 30; it goes on from the state saved by that at 20."""
    losses = {10: 5.0, 20: 3.0, 30: 4.0, 40: 3.5, 50: 6.0}

    def trainer(saved) -> Trainer:
        made = bowl_trainer(tmp_path, saved=saved, evaluate=lambda bowl: {"loss": losses[made.update]})
        return made

    killed = trainer([])
    for progress in killed.run():
        if progress.update == 30:
            break
    del killed
    saved = []
    again = trainer(saved)
    again.resume()
    assert again.update == 20
    finish(again)
    lines = [json.loads(line)["update"] for line in (tmp_path / METRICS_FILE).read_text().splitlines()]
    assert lines == [10, 20, 30, 40, 50]
    assert [progress.update for _, _, progress in saved if progress.update in (30, 40)] == []


def test_the_last_evaluation_is_not_missed_when_the_clock_ends_the_training(tmp_path):
    evaluations = []
    trainer = bowl_trainer(
        tmp_path,
        max_updates=None,
        max_minutes=0.005,
        evaluate_every=10**6,
        evaluate=lambda bowl: evaluations.append(1) or {"loss": 1.0},
    )
    finish(trainer)
    assert evaluations == [1]
    assert json.loads((tmp_path / METRICS_FILE).read_text())["update"] == trainer.update


def test_resuming_where_nothing_is_says_so(tmp_path):
    with pytest.raises(CheckpointError, match=r"no training to resume"):
        bowl_trainer(tmp_path).resume()


def test_resuming_another_model_says_so(tmp_path, dataset_folder):
    finish(bowl_trainer(tmp_path))
    model, config = build_model_and_config("tiny")
    with pytest.raises(CheckpointError, match="model with other sizes"):
        melody_trainer(model, config, open_dataset(dataset_folder), tmp_path).resume()


@pytest.mark.parametrize(
    ("stop_after", "changes"), [(7, {}), (20, {}), (15, {"target_bits": 5.0, "anneal_updates": 5})]
)
def test_stopped_and_resumed_equals_uninterrupted_to_the_bit(tmp_path, dataset_folder, stop_after, changes):
    dataset = open_dataset(dataset_folder)

    def trainer(folder) -> Trainer:
        model, config = build_model_and_config("tiny", max_updates=40, evaluate_every=10, **changes)
        return melody_trainer(model, config, dataset, folder, precision="fp32")

    whole = trainer(tmp_path / "whole")
    finish(whole)
    first_half = trainer(tmp_path / "halves")
    plain_loss_terms = first_half.task.loss_terms

    def stop_on_the_way(update, generator):
        if update == stop_after - 1:
            first_half.stop()
        return plain_loss_terms(update, generator)

    first_half.task.loss_terms = stop_on_the_way
    finish(first_half)
    assert first_half.update == stop_after
    second_half = trainer(tmp_path / "halves")
    second_half.resume()
    finish(second_half)
    weights = second_half.model.state_dict()
    assert second_half.update == whole.update == 40
    assert second_half.steering == whole.steering
    assert (whole.steering == 1) == (not changes)
    assert len(weights) > 0
    assert all(torch.equal(weights[name], value) for name, value in whole.model.state_dict().items())
    models = [load_checkpoint(tmp_path / run / MODEL_FILE).weights for run in ("whole", "halves")]
    assert all(torch.equal(models[0][name], models[1][name]) for name in models[0])


@pytest.mark.parametrize("readout", ["position", "last-state"])
def test_the_melody_model_overfits_one_batch(readout):
    torch.manual_seed(0)
    model = MelodyModel(replace(PRESETS["tiny"].model, readout=readout, encoder_size=64, decoder_size=64))
    windows = random_windows(4)
    batch = torch.from_numpy(windows).long()
    optimizer = torch.optim.Adam(model.parameters(), lr=5e-3)
    generator = torch.Generator().manual_seed(0)
    for _ in range(300):
        optimizer.zero_grad()
        weighted_loss(model.loss_terms(batch, generator), beta=0.01).backward()
        torch.nn.utils.clip_grad_norm_(model.parameters(), 1.0)
        optimizer.step()
    metrics = reconstruction_metrics(model.eval(), windows)
    assert metrics["no_event_accuracy"] < 0.7
    assert metrics["greedy_accuracy"] > 0.95
    assert metrics["note_f1"] > 0.95


def test_scheduled_sampling_of_a_model_that_looks_back_is_refused(dataset_folder):
    model = MelodyModel(MelodyConfig(look_back=True, segment_bars=1, latent_size=8))
    config = MelodyTrainConfig(scheduled_sampling_rate=5.0)
    with pytest.raises(ConfigError, match=r"scheduled_sampling_rate is 5; a model that looks back .* leave it at 0"):
        MelodyTask(model, config, open_dataset(dataset_folder))


def test_scheduled_sampling_trains(tmp_path, dataset_folder):
    model, config = build_model_and_config("tiny", max_updates=6, scheduled_sampling_rate=2.0)
    assert [teacher_forcing_share(config, update) for update in (0, 5)] == pytest.approx([2 / 3, 0.141], abs=1e-3)
    progress = finish(melody_trainer(model, config, open_dataset(dataset_folder), tmp_path / "with"))
    assert progress[-1].update == 6
    plain, config = build_model_and_config("tiny", max_updates=6)
    finish(melody_trainer(plain, config, open_dataset(dataset_folder), tmp_path / "without"))
    sampled = dict(model.named_parameters())
    assert all(torch.isfinite(weight).all() for weight in sampled.values())
    assert any(not torch.equal(sampled[name], weight) for name, weight in plain.named_parameters())


def test_a_finished_run_carries_its_held_out_metrics_and_what_made_it(run_folder, dataset_folder):
    checkpoint = load_checkpoint(run_folder)
    dataset = open_dataset(dataset_folder)
    assert set(checkpoint.metrics) == {"valid", "test"}
    expected = reconstruction_metrics(MelodyModel.from_pretrained(run_folder), dataset.splits["test"])
    assert checkpoint.metrics["test"] == pytest.approx(expected)
    assert checkpoint.provenance["dataset_sha256"] == dataset.fingerprint
    assert checkpoint.provenance["windows_seen"] == checkpoint.provenance["updates"] * 32


def test_fine_tuning_starts_from_the_checkpoint_and_remembers_it(run_folder, dataset_folder, tmp_path):
    model, config = build_model_and_config("tiny", init_from=str(run_folder), max_updates=3)
    parent = load_checkpoint(run_folder)
    assert all(torch.equal(model.state_dict()[name], value) for name, value in parent.weights.items())
    assert config.annealing == "constant"
    assert config.learning_rate < build_model_and_config("tiny")[1].learning_rate
    finish(melody_trainer(model, config, open_dataset(dataset_folder), tmp_path))
    assert load_checkpoint(tmp_path).provenance["fine_tuned_from"] == parent.provenance
    lines = [json.loads(line) for line in (tmp_path / METRICS_FILE).read_text().splitlines()]
    assert [line["update"] for line in lines] == [0, 3]  # before anything is changed, too


def test_a_run_that_is_called_like_the_model_it_was_started_from_is_not_its_own_parent(
    dataset_folder, tmp_path, monkeypatch
):
    monkeypatch.chdir(tmp_path)
    folder, shipped = Path("melody-2bar"), load_checkpoint("melody-2bar")

    def start(updates):
        small = {"max_updates": updates, "batch_size": 2, "evaluate_windows": 2}
        model, config = build_model_and_config("tiny", "melody-2bar", run=folder, **small)
        assert all(torch.equal(model.state_dict()[name], value) for name, value in shipped.weights.items())
        return melody_trainer(model, config, open_dataset(dataset_folder), folder)

    finish(start(1))
    resumed = start(2)
    resumed.resume()
    finish(resumed)
    assert load_checkpoint(folder).provenance["fine_tuned_from"] == shipped.provenance


def test_a_resumed_run_remembers_the_model_it_was_started_from(run_folder, dataset_folder, tmp_path):
    parent = tmp_path / "parent.safetensors"
    parent.write_bytes((run_folder / MODEL_FILE).read_bytes())
    before = load_checkpoint(parent).provenance

    def start(updates):
        model, config = build_model_and_config("tiny", str(parent), max_updates=updates)
        return melody_trainer(model, config, open_dataset(dataset_folder), tmp_path / "run")

    finish(start(1))
    other = MelodyModel.from_pretrained(parent)
    other.provenance = before | {"updates": 99}
    other.save(parent)
    resumed = start(2)
    resumed.resume()
    finish(resumed)
    assert load_checkpoint(tmp_path / "run").provenance["fine_tuned_from"] == before


def test_fine_tuning_on_shorter_bars_starts_a_model_of_them_with_the_weights(run_folder, dataset_folder):
    dataset = open_dataset(dataset_folder)
    of_waltzes = replace(dataset, meta=dataset.meta | {"meter": [3, 4]})
    model, _ = build_model_and_config("tiny", str(run_folder), dataset=of_waltzes)
    trained, _ = build_model_and_config("tiny", str(run_folder), dataset=dataset)
    assert (model.config.meter, model.config.steps, trained.config.steps) == ((3, 4), 24, 32)
    assert torch.equal(model.decoder.lstm.weight_hh_l0, trained.decoder.lstm.weight_hh_l0)
    assert model.provenance == trained.provenance


def test_the_learning_rate_warms_up_and_falls_to_zero():
    config = TrainConfig(learning_rate=0.1, warmup_updates=10)
    assert learning_rate(config, 0, 0.0) == pytest.approx(0.01)
    assert learning_rate(config, 9, 0.0) == pytest.approx(0.1)
    assert learning_rate(config, 500, 0.5) == pytest.approx(0.05)
    assert learning_rate(config, 1000, 1.0) == pytest.approx(0.0)


def test_fine_tuning_takes_the_training_options_of_its_checkpoint(tmp_path):
    # It took those of the preset melody-2bar: beta was another.
    parent = MelodyModel(replace(PRESETS["tiny"].model, bars=4))
    trained = replace(
        PRESETS["melody-2bar"].training,
        beta=0.05,
        transpose_up=3,
        max_minutes=27.0,
        rests=0.125,
    )
    parent.provenance = {"training": to_dict(trained) | {"an_option_of_old": 1}, "updates": 9}
    parent.save(tmp_path / "parent.safetensors")
    _, config = build_model_and_config(init_from=str(tmp_path / "parent.safetensors"))
    assert config == replace(trained, learning_rate=5e-4, warmup_updates=30, annealing="constant")
    _, config = build_model_and_config(init_from=str(tmp_path / "parent.safetensors"), beta=0.2, max_updates=7)
    assert (config.beta, config.max_updates, config.max_minutes) == (0.2, 7, None)
    parent.provenance["fine_tuned_from"] = {"updates": 1}
    parent.save(tmp_path / "again.safetensors")
    _, config = build_model_and_config(init_from=str(tmp_path / "again.safetensors"))
    assert config.learning_rate == trained.learning_rate  # it was lowered once already
    parent.provenance = {}
    parent.save(tmp_path / "bare.safetensors")
    _, config = build_model_and_config("tiny", init_from=str(tmp_path / "bare.safetensors"))
    assert config.max_updates == PRESETS["tiny"].training.max_updates


def test_a_run_that_was_stopped_can_be_run_again(tmp_path):
    trainer = bowl_trainer(tmp_path)
    running = trainer.run()
    assert next(running).update == 10
    trainer.stop()
    assert [progress.update for progress in running] == [10]
    assert finish(trainer)[-1].update == 50  # the flag was never cleared: it stopped at once


def test_a_resume_that_is_refused_leaves_the_weights_alone(tmp_path):
    finish(bowl_trainer(tmp_path))
    other = bowl_trainer(tmp_path, start=7.0, learning_rate=0.3)
    with pytest.raises(CheckpointError, match=r"learning_rate was 0\.1 and is 0\.3"):
        other.resume()
    assert other.model.weight.item() == 7.0
