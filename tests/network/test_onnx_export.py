"""Exported models give the tokens that melodyvae gives, in Python and in JavaScript, by their README's programs."""

import json
import os
import re
import shutil
import subprocess
import sys
from dataclasses import replace

import numpy as np
import pytest

from melodyvae.models.melody import MelodyModel
from melodyvae.network.latent import slerp
from melodyvae.network.network import MelodyNetwork
from melodyvae.network.onnx_export import FILES, ExportError, export
from melodyvae.presets import PRESETS
from tests.cli.test_cli import run
from tests.windows import random_windows

pytest.importorskip("onnx", reason="the extra onnx is not installed")
onnxruntime = pytest.importorskip("onnxruntime", reason="onnxruntime is not installed")


@pytest.fixture(scope="module")
def exported(tmp_path_factory):
    folder = tmp_path_factory.mktemp("exported") / "melody-2bar-onnx"
    output = run("export", "melody-2bar", "-o", folder)
    assert output.startswith("Wrote encoder.onnx, start.onnx, step.onnx, model.json and README.md to ")
    assert sorted(path.name for path in folder.iterdir()) == sorted(FILES)
    return folder


def program(folder, language):
    (code,) = re.findall(rf"```{language}\n(.*?)```", (folder / "README.md").read_text(), re.S)
    return code


def expected_walk(folder):
    """The walk that the programs print, by melodyvae itself."""
    network = MelodyNetwork.read("melody-2bar")
    ends = network.encode(np.array(json.loads((folder / "model.json").read_text())["examples"])).mean
    return network.decode(slerp(*ends, np.linspace(0, 1, 8))).tolist()


def test_the_python_of_its_readme_walks_as_melodyvae_does(exported):
    code = program(exported, "python")
    done = subprocess.run([sys.executable, "-c", code], cwd=exported, capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stderr
    assert json.loads(done.stdout) == expected_walk(exported)


def test_the_javascript_of_its_readme_walks_as_melodyvae_does(exported):
    modules = {"env": os.environ, "cwd": exported, "capture_output": True, "text": True, "check": False}
    if (
        shutil.which("node") is None
        or subprocess.run(["node", "-e", 'require("onnxruntime-web")'], **modules).returncode
    ):
        pytest.skip("Node with onnxruntime-web (found by NODE_PATH) is not installed")
    done = subprocess.run(["node", "-e", program(exported, "javascript")], **modules)
    assert done.returncode == 0, done.stderr
    assert json.loads(done.stdout) == expected_walk(exported)


@pytest.mark.parametrize(
    "changes",
    [
        {"readout": "last-state", "decoder_layers": 2},
        {"readout": "position", "encoder_layers": 2, "output": "event-then-pitch", "pitch_inputs": True},
    ],
    ids=["last-state", "event-then-pitch"],
)
def test_networks_of_every_kind_give_the_same_numbers(tmp_path, changes):
    model = MelodyModel(replace(PRESETS["tiny"].model, **changes))
    model.save(tmp_path / "model.safetensors")
    network = MelodyNetwork.read(tmp_path / "model.safetensors")
    export(tmp_path / "model.safetensors", tmp_path)
    encoder, start, step = (
        onnxruntime.InferenceSession(tmp_path / f"{name}.onnx") for name in ("encoder", "start", "step")
    )
    tokens = random_windows(5).astype(np.int64)
    mean, log_variance = encoder.run(None, {"tokens": tokens})
    posterior = network.encode(tokens)
    np.testing.assert_allclose(mean, posterior.mean, atol=1e-5)
    np.testing.assert_allclose(log_variance, posterior.log_variance, atol=1e-5)
    features, hidden, cell = start.run(None, {"z": mean})
    expected, previous = network.logits(mean, tokens), np.zeros(5, np.int64)
    for place, read in enumerate(features):
        given = {"features": read, "previous": previous, "hidden": hidden, "cell": cell}
        logits, hidden, cell = step.run(None, given)
        is_legal = np.isfinite(expected[:, place])
        np.testing.assert_allclose(logits[is_legal], expected[:, place][is_legal], atol=1e-4)
        previous = tokens[:, place]


@pytest.mark.parametrize("name", ["melody-16bar", "melody-compose"])
def test_a_model_of_several_codes_is_refused_with_a_sentence(name, tmp_path):
    with pytest.raises(ExportError, match="is not a model that codes its whole window at once"):
        export(name, tmp_path)


def test_nothing_is_replaced_unasked(exported):
    assert "already holds encoder.onnx" in run("export", "melody-2bar", "-o", exported, status=1)
