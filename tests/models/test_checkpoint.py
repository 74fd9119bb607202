"""Checkpoints come back as they were, and foreign ones are refused with a sentence."""

import json

import pytest
import torch
from safetensors import safe_open
from safetensors.torch import save_file

from melodyvae.models.checkpoint import load_checkpoint, read_tensors, write_tensors
from melodyvae.models.melody import MelodyModel
from melodyvae.network.checkpoint import HEADER_KEY, CheckpointError, locate, read_checkpoint, shipped_names
from melodyvae.presets import PRESETS
from tests.windows import random_windows


@pytest.fixture
def model():
    torch.manual_seed(0)
    made = MelodyModel(PRESETS["tiny"].model)
    made.metrics = {"valid": {"note_f1": 0.5}}
    made.provenance = {"command": "melodyvae train"}
    return made


@pytest.fixture
def saved(model, tmp_path):
    path = tmp_path / "tune.safetensors"
    model.save(path)
    return path


def rewrite_header(path, **changes):
    tensors, header = read_tensors(path)
    write_tensors(tensors, {**header, **changes}, path)


def test_round_trip_in_float32_is_exact(model, tmp_path):
    model.save(tmp_path / "m.safetensors", dtype=torch.float32)
    again = MelodyModel.from_pretrained(tmp_path / "m.safetensors")
    assert again.config == model.config
    assert again.metrics == model.metrics
    assert again.provenance == model.provenance
    weights = again.state_dict()
    assert len(weights) == len(model.state_dict()) > 0
    assert all(torch.equal(weights[name], value) for name, value in model.state_dict().items())
    tokens = torch.from_numpy(random_windows(4)).long()
    assert torch.equal(again.encode(tokens).mean, model.encode(tokens).mean)


def test_weights_are_stored_in_half_precision_by_default(saved, model):
    tensors, _ = read_tensors(saved)
    assert {tensor.dtype for tensor in tensors.values()} == {torch.float16}
    weights = load_checkpoint(saved).weights
    assert all(torch.equal(weights[name], value.half().float()) for name, value in model.state_dict().items())


def test_what_was_fitted_afterwards_comes_back_as_it_was(model, tmp_path):
    model.extras = {"prior.means": torch.rand(3, 2), "novelty.hashes": torch.arange(5)}
    model.save(tmp_path / "m.safetensors")
    again = MelodyModel.from_pretrained(tmp_path / "m.safetensors")
    assert {name: value.dtype for name, value in again.extras.items()} == {
        "prior.means": torch.float32,
        "novelty.hashes": torch.int64,
    }
    assert all(torch.equal(again.extras[name], value) for name, value in model.extras.items())


def test_a_run_folder_stands_for_its_model(saved):
    assert locate(saved.rename(saved.parent / "model.safetensors").parent).name == "model.safetensors"


def test_a_missing_checkpoint_names_the_shipped_ones():
    with pytest.raises(CheckpointError, match=r"no model 'melody-3bar'.*shipped models are: .*melody-2bar"):
        MelodyModel.from_pretrained("melody-3bar")


@pytest.mark.parametrize("share", [0.0, 0.001, 0.5, 0.999])
def test_a_truncated_file_is_refused(saved, share):
    data = saved.read_bytes()
    saved.write_bytes(data[: int(len(data) * share)])
    with pytest.raises(CheckpointError, match=r"not a whole \.safetensors file.*truncated"):
        load_checkpoint(saved)


def test_a_pickled_file_is_refused_unopened(tmp_path):
    path = tmp_path / "model.pt"
    torch.save({"weights": torch.zeros(3)}, path)
    with pytest.raises(CheckpointError, match=r"pickled PyTorch file.*can run code"):
        load_checkpoint(path)


def test_of_a_damaged_file_only_the_start_is_read(tmp_path, monkeypatch):
    path = tmp_path / "large.safetensors"
    with path.open("wb") as file:
        file.truncate(2**40)  # a hole: a terabyte that takes no room on the disk
    with pytest.raises(CheckpointError, match=r"not a whole \.safetensors file"):
        load_checkpoint(path)


def test_a_safetensors_file_of_another_program_is_refused(tmp_path):
    save_file({"w": torch.zeros(2)}, tmp_path / "foreign.safetensors")
    with pytest.raises(CheckpointError, match="not from melodyvae"):
        load_checkpoint(tmp_path / "foreign.safetensors")


def test_a_newer_format_is_refused(saved):
    rewrite_header(saved, format_version=99)
    with pytest.raises(CheckpointError, match="checkpoint format 99; this melodyvae reads format 1"):
        load_checkpoint(saved)


def test_another_kind_of_model_is_refused(saved):
    rewrite_header(saved, kind="digits")
    with pytest.raises(CheckpointError, match="is a digits model; a melody model is needed"):
        MelodyModel.from_pretrained(saved)


def test_another_vocabulary_is_refused(saved, model):
    rewrite_header(saved, vocabulary=model.vocabulary.to_dict() | {"lowest_pitch": 0})
    with pytest.raises(CheckpointError, match="another vocabulary"):
        MelodyModel.from_pretrained(saved)


def test_an_unknown_configuration_key_is_refused(saved):
    _, header = read_tensors(saved)
    rewrite_header(saved, config=header["config"] | {"attention_heads": 8})
    with pytest.raises(CheckpointError, match="no attention_heads"):
        MelodyModel.from_pretrained(saved)


def test_weights_of_other_sizes_are_refused(saved):
    _, header = read_tensors(saved)
    rewrite_header(saved, config=header["config"] | {"latent_size": 8})
    with pytest.raises(CheckpointError, match="weights that do not fit"):
        MelodyModel.from_pretrained(saved)


def test_a_header_without_its_parts_is_refused(saved):
    tensors, header = read_tensors(saved)
    del header["kind"]
    write_tensors(tensors, header, saved)
    with pytest.raises(CheckpointError, match="no 'kind' in its header"):
        load_checkpoint(saved)


@pytest.mark.parametrize(
    ("text", "message"),
    [("{not JSON", "damaged header"), ("[1, 2]", "not a table of values"), ("{}", "checkpoint format None")],
)
def test_a_header_that_is_something_else_is_refused(tmp_path, text, message):
    save_file({"w": torch.zeros(2)}, tmp_path / "odd.safetensors", metadata={HEADER_KEY: text})
    with pytest.raises(CheckpointError, match=message):
        load_checkpoint(tmp_path / "odd.safetensors")


@pytest.mark.parametrize("part", ["config", "vocabulary", "metrics", "provenance"])
def test_a_header_part_of_another_kind_is_refused(saved, part):
    rewrite_header(saved, **{part: "words"})
    with pytest.raises(CheckpointError, match=f"no '{part}' in its header"):
        load_checkpoint(saved)


def test_the_state_of_a_training_is_no_model_and_it_is_said_where_that_is(run_folder):
    with pytest.raises(CheckpointError, match=r"state of a training.*its model is model\.safetensors"):
        load_checkpoint(run_folder / "state.safetensors")


def test_a_failed_write_leaves_the_old_file_and_no_litter(saved, model):
    before = saved.read_bytes()
    model.metrics = {"not JSON": object()}
    with pytest.raises(TypeError):
        model.save(saved)
    assert saved.read_bytes() == before
    assert [path.name for path in saved.parent.iterdir()] == [saved.name]


def test_the_header_is_json_under_one_key(saved):
    from safetensors import safe_open

    with safe_open(str(saved), framework="pt") as file:
        assert set(json.loads(file.metadata()[HEADER_KEY])) == {
            "format_version",
            "kind",
            "config",
            "vocabulary",
            "metrics",
            "provenance",
        }


@pytest.mark.parametrize("name", ["bars", "latent_size", "encoder_size", "decoder_layers", "steps_per_quarter"])
@pytest.mark.parametrize("size", [10**9, 10**400, 2**16 + 1])
def test_sizes_that_no_model_has_are_refused_before_it_is_made(saved, name, size):
    rewrite_header(saved, config=dict(load_checkpoint(saved).config) | {name: size})
    with pytest.raises(CheckpointError, match="configuration that is not this version's"):
        MelodyModel.from_pretrained(saved)


def test_sizes_that_its_weights_do_not_have_are_refused_before_it_is_made(saved, monkeypatch):
    rewrite_header(saved, config=dict(load_checkpoint(saved).config) | {"decoder_size": 2**16})  # 128 GiB of weights
    with pytest.raises(CheckpointError, match=r"weights that do not fit its own configuration: .* is \(.*\), not \("):
        MelodyModel.from_pretrained(saved)


@pytest.mark.parametrize("value", [float("nan"), float("inf")])
def test_weights_that_are_no_numbers_are_refused(saved, value):
    tensors, header = read_tensors(saved)
    next(iter(tensors.values())).view(-1)[3] = value
    write_tensors(tensors, header, saved)
    with pytest.raises(CheckpointError, match="holds numbers that are not finite; train it again"):
        MelodyModel.from_pretrained(saved)


@pytest.mark.parametrize(
    "provenance", [{"trained_on": 3}, {"trained_on": {"bytes": 0}}, {"fine_tuned_from": []}, {"training": 1}]
)
def test_a_provenance_of_another_form_is_refused(saved, provenance):
    rewrite_header(saved, provenance=provenance)
    with pytest.raises(CheckpointError, match="what it says of its training is not as melodyvae writes it"):
        load_checkpoint(saved)


def test_a_header_that_is_nested_too_deep_is_refused(saved):
    tensors, _ = read_tensors(saved)
    save_file(tensors, saved, metadata={HEADER_KEY: "[" * 100_000 + "]" * 100_000})
    with pytest.raises(CheckpointError, match="nested too deep"):
        load_checkpoint(saved)


def test_a_flipped_bit_is_noticed(tmp_path, saved):
    data = bytearray(saved.read_bytes())
    for place in (-100, data.index(b"format_version") + 18):  # in the weights and in the header
        flipped = data.copy()
        flipped[place] ^= 1
        saved.write_bytes(flipped)
        with pytest.raises(CheckpointError, match=r"damaged: its content has the SHA-256|checkpoint format"):
            load_checkpoint(saved)


@pytest.mark.parametrize("name", shipped_names())
def test_shipped_models_have_their_hash_and_a_revision(name):
    with safe_open(locate(name), framework="np") as file:
        sha256 = file.metadata()["sha256"]
    assert read_checkpoint(name).sha256 == sha256
    assert read_checkpoint(name).revision == sha256[:8]
