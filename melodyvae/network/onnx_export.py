"""A trained model as ONNX files that other programs run, with a JSON that says all they need to know, and a README.

Three graphs: ``encoder.onnx``, tokens to the posterior; ``start.onnx``, z to the features of each step and the first
state; ``step.onnx``, one step of the decoder. They are written from the weights, without torch. The weights stand in
the files as in the checkpoint, in float16, and are cast when a file is loaded, so nothing is lost.

The operators: https://onnx.ai/onnx/operators/ (opset 18).

Conventions: shapes as in :mod:`melodyvae.network.network`; L is the number of the decoder's LSTM layers. An LSTM here
has its gates in the order i, o, f, g; torch's are i, f, g, o.
"""

from __future__ import annotations

import itertools
import json
from collections.abc import Sequence
from importlib import resources
from pathlib import Path
from typing import Any

import numpy as np

import melodyvae
from melodyvae.config import MelodyConfig, to_dict
from melodyvae.music.tokens import (
    FIRST_NOTE_ON,
    HIGHEST_PITCH,
    LOWEST_PITCH,
    NO_EVENT,
    NOTE_OFF,
    VOCABULARY_SIZE,
)
from melodyvae.network.checkpoint import read_checkpoint
from melodyvae.network.draws import Draws
from melodyvae.network.network import KIND, MelodyNetwork
from melodyvae.network.token_inputs import token_inputs
from melodyvae.system.errors import UserError

OPSET = 18
README = "README.md"
FILES = ("encoder.onnx", "start.onnx", "step.onnx", "model.json", README)


class ExportError(UserError, ValueError):
    """A model cannot be exported, or the package that writes ONNX is not installed."""


def export(name_or_path: str | Path, folder: Path) -> None:
    """Write :data:`FILES` of a shipped model, a checkpoint or a run folder into ``folder``.

    Raises:
        ExportError: if onnx is not installed, or the model is not one that codes its whole window at once.
        CheckpointError: if there is no such model.
    """
    try:
        import onnx
    except ModuleNotFoundError as error:
        raise ExportError("this needs onnx, which is not installed; install it with: pip install onnx") from error

    checkpoint, network = read_checkpoint(name_or_path), MelodyNetwork.read(name_or_path)
    config = checkpoint.config_as(KIND, MelodyConfig, str(name_or_path))
    if config.look_back or config.segment_codes or checkpoint.architecture:
        raise ExportError(
            f"{name_or_path} is not a model that codes its whole window at once; export melody-2bar, "
            "melody-2bar-triple or a model of your own of that kind"
        )
    graphs = {"encoder.onnx": _encoder, "start.onnx": _start, "step.onnx": _step}
    for file, build in graphs.items():
        graph = _Graph(checkpoint.weights)
        build(graph, config)
        model = onnx.helper.make_model(
            onnx.helper.make_graph(graph.nodes, file, graph.inputs, graph.outputs, graph.constants),
            opset_imports=[onnx.helper.make_opsetid("", OPSET)],
            producer_name="melodyvae",
            producer_version=melodyvae.__version__,
            ir_version=8,
        )
        onnx.checker.check_model(model)
        onnx.save(model, folder / file)
    described = _described(network, config, checkpoint.provenance)
    (folder / "model.json").write_text(json.dumps(described, indent=1) + "\n", encoding="utf-8")
    text = resources.files("melodyvae.network").joinpath("onnx_readme.md").read_text(encoding="utf-8")
    (folder / README).write_text(text.replace("MODEL", network.signature), encoding="utf-8")


def _described(network: MelodyNetwork, config: MelodyConfig, provenance: dict[str, Any]) -> dict[str, Any]:
    """All that a program must know besides the graphs, with two windows to try them on."""
    drawn = network.decode(Draws(0).normal(2, config.latent_size).astype(np.float32), 1.0, Draws(1))
    return {
        "model": network.signature,
        "melodyvae": melodyvae.__version__,
        "bars": config.bars,
        "meter": list(config.meter),
        "steps_per_quarter": config.steps_per_quarter,
        "steps": config.steps,
        "latent_size": config.latent_size,
        "decoder_layers": config.decoder_layers,
        "decoder_size": config.decoder_size,
        "tokens": {
            "count": network.vocabulary.size,
            "no_event": NO_EVENT,
            "note_off": NOTE_OFF,
            "first_note_on": FIRST_NOTE_ON,
            "lowest_pitch": LOWEST_PITCH,
            "highest_pitch": HIGHEST_PITCH,
        },
        "token_before_the_first_step": NO_EVENT,
        "rule": "note_off has probability 0 while nothing sounds: set its logit to minus infinity",
        "z": "the posterior is N(mean, exp(log_variance)), its prior N(0, I); tunes between two are decoded from "
        "points on the great arc between their means, whose norm changes evenly",
        "config": to_dict(config),
        "data": {name: value for name, value in provenance.items() if name.startswith("dataset")},
        "examples": drawn.tolist(),
    }


class _Graph:
    """The parts of an ONNX graph that is being built; methods add nodes and give the name of what they compute."""

    def __init__(self, weights: dict[str, np.ndarray]) -> None:
        self.weights = weights
        self.nodes: list[Any] = []
        self.inputs: list[Any] = []
        self.outputs: list[Any] = []
        self.constants: list[Any] = []

    def input(self, name: str, shape: Sequence[int | str], kind: str = "FLOAT") -> str:
        """An input of the graph."""
        self.inputs.append(self._value(name, shape, kind))
        return name

    def output(self, name: str, value: str, shape: Sequence[int | str]) -> None:
        """An output of the graph."""
        from onnx import helper

        self.nodes.append(helper.make_node("Identity", [value], [name]))
        self.outputs.append(self._value(name, shape, "FLOAT"))

    def _value(self, name: str, shape: Sequence[int | str], kind: str) -> Any:
        from onnx import TensorProto, helper

        return helper.make_tensor_value_info(name, getattr(TensorProto, kind), list(shape))

    def add(self, kind: str, *values: str, outputs: int = 1, **attributes: Any) -> Any:
        """Add a node; the name of its output, or the names of several."""
        from onnx import helper

        names = [f"{kind}_{len(self.nodes)}_{number}" for number in range(outputs)]
        self.nodes.append(helper.make_node(kind, list(values), names, **attributes))
        return names[0] if outputs == 1 else names

    def constant(self, array: np.ndarray) -> str:
        """A constant as it is."""
        from onnx import numpy_helper

        name = f"constant_{len(self.constants)}"
        self.constants.append(numpy_helper.from_array(array, name))
        return name

    def numbers(self, array: np.ndarray) -> str:
        """Weights, which are stored in half precision where nothing is lost, in single precision."""
        half = array.astype(np.float16)
        if not np.array_equal(half.astype(np.float32), array):
            return self.constant(array.astype(np.float32))
        return str(self.add("Cast", self.constant(half), to=1))  # 1 is float

    def shape(self, *sizes: int) -> str:
        """A shape, or axes."""
        return self.constant(np.array(sizes, np.int64))

    def linear(self, name: str, value: str) -> str:
        """A layer of the checkpoint."""
        weight, bias = self.weights[f"{name}.weight"], self.weights[f"{name}.bias"]
        return str(self.add("Add", self.add("MatMul", value, self.numbers(weight.T)), self.numbers(bias)))

    def lstm(self, name: str, value: str, size: int, layer: int, *state: str, both_ways: bool = False) -> list[str]:
        """One layer of an LSTM over ``value`` (T, B, I): outputs (T, D, B, H), last hidden and cell (D, B, H)."""
        parts: dict[str, list[np.ndarray]] = {"ih": [], "hh": [], "bias": []}
        for ending in ("", "_reverse")[: 1 + both_ways]:
            weights = [self.weights[f"{name}.{part}_l{layer}{ending}"] for part in ("weight_ih", "weight_hh")]
            biases = [self.weights[f"{name}.{part}_l{layer}{ending}"] for part in ("bias_ih", "bias_hh")]
            parts["ih"].append(_gates(weights[0]))
            parts["hh"].append(_gates(weights[1]))
            parts["bias"].append(np.concatenate([_gates(bias) for bias in biases]))
        given = [self.numbers(np.stack(part)) for part in parts.values()]
        direction = "bidirectional" if both_ways else "forward"
        inputs = [value, *given, *(["", *state] if state else [])]
        return list(self.add("LSTM", *inputs, outputs=3, hidden_size=size, direction=direction))


def _gates(weights: np.ndarray) -> np.ndarray:
    """Weights ``(4 H, ...)`` of gates in torch's order, in ONNX's."""
    i, f, g, o = np.split(weights, 4)
    return np.concatenate([i, o, f, g])


def _token_table(graph: _Graph, config: MelodyConfig) -> str:
    size = VOCABULARY_SIZE
    return graph.numbers(token_inputs(size, config.pitch_inputs).astype(np.float32))


def _encoder(graph: _Graph, config: MelodyConfig) -> None:
    tokens = graph.input("tokens", ("B", config.steps), "INT64")
    value = graph.add("Gather", _token_table(graph, config), graph.add("Transpose", tokens, perm=[1, 0]))
    hidden = ""
    for layer in range(config.encoder_layers):
        outputs, hidden, _ = graph.lstm("encoder.lstm", value, config.encoder_size, layer, both_ways=True)
        by_step = graph.add("Transpose", outputs, perm=[0, 2, 1, 3])  # (T, B, D, H)
        value = graph.add("Reshape", by_step, graph.shape(0, 0, 2 * config.encoder_size))
    if config.readout == "position":
        features = graph.add("Transpose", graph.linear("encoder.step_features", value), perm=[1, 0, 2])
        read = graph.add("Reshape", features, graph.shape(0, config.steps * config.encoder_features))
    else:
        read = graph.add("Reshape", graph.add("Transpose", hidden, perm=[1, 0, 2]), graph.shape(0, -1))
    posterior = graph.linear("encoder.posterior", read)
    for name, part in zip(
        ("mean", "log_variance"), graph.add("Split", posterior, outputs=2, axis=1, num_outputs=2), strict=True
    ):
        graph.output(name, part, ("B", config.latent_size))


def _start(graph: _Graph, config: MelodyConfig) -> None:
    z = graph.input("z", ("B", config.latent_size))
    layers, size = config.decoder_layers, config.decoder_size
    batch = graph.add("Shape", z, start=0, end=1)
    if config.readout == "position":
        width = config.decoder_features
        by_window = graph.add("Reshape", graph.linear("decoder.step_features", z), graph.shape(0, config.steps, width))
        features = graph.add("Transpose", by_window, perm=[1, 0, 2])
        shape = graph.add("Concat", graph.shape(layers), batch, graph.shape(size), axis=0)
        states = [graph.add("ConstantOfShape", shape)] * 2
    else:
        width = config.latent_size
        shape = graph.add("Concat", graph.shape(config.steps), batch, graph.shape(width), axis=0)
        features = graph.add("Expand", z, shape)
        first = graph.add("Tanh", graph.linear("decoder.first_state", z))
        split = graph.add("Transpose", graph.add("Reshape", first, graph.shape(0, 2, layers, size)), perm=[1, 2, 0, 3])
        halves = graph.add("Split", split, outputs=2, axis=0, num_outputs=2)
        states = [graph.add("Squeeze", half, graph.shape(0)) for half in halves]
    graph.output("features", features, (config.steps, "B", width))
    for name, state in zip(("hidden", "cell"), states, strict=True):
        graph.output(name, state, (layers, "B", size))


def _step(graph: _Graph, config: MelodyConfig) -> None:
    layers, size = config.decoder_layers, config.decoder_size
    width = config.decoder_features if config.readout == "position" else config.latent_size
    features = graph.input("features", ("B", width))
    previous = graph.input("previous", ("B",), "INT64")
    states = [graph.input(name, (layers, "B", size)) for name in ("hidden", "cell")]
    read = graph.add("Concat", graph.add("Gather", _token_table(graph, config), previous), features, axis=1)
    value = graph.add("Unsqueeze", read, graph.shape(0))
    new: dict[str, list[str]] = {"hidden": [], "cell": []}
    for layer in range(layers):
        own = [graph.add("Slice", state, graph.shape(layer), graph.shape(layer + 1)) for state in states]
        outputs, hidden, cell = graph.lstm("decoder.lstm", value, size, layer, *own)
        value = graph.add("Squeeze", outputs, graph.shape(1))
        new["hidden"].append(hidden)
        new["cell"].append(cell)
    logits = graph.linear("decoder.output", graph.add("Squeeze", value, graph.shape(0)))
    count = VOCABULARY_SIZE
    if config.output == "event-then-pitch":
        ends = (0, FIRST_NOTE_ON, FIRST_NOTE_ON + 1, count + 1)
        events, note_on, pitches = (
            graph.add("Slice", logits, graph.shape(low), graph.shape(high), graph.shape(1))
            for low, high in itertools.pairwise(ends)
        )
        notes = graph.add("Add", graph.add("LogSoftmax", pitches, axis=1), note_on)
        logits = graph.add("Concat", events, notes, axis=1)
    graph.output("logits", logits, ("B", count))
    for name, parts in new.items():
        graph.output(f"new_{name}", graph.add("Concat", *parts, axis=0), (layers, "B", size))
