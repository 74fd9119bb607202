"""`melodyvae digits`: each command in a folder of its own, with files made in code, and its refusals."""

import json
import shutil
import subprocess
import sys
from pathlib import Path

import pytest
from click.testing import CliRunner
from matplotlib.image import imread

from melodyvae.cli.main import main
from melodyvae.digits.data import MD5
from melodyvae.models.checkpoint import load_checkpoint
from tests.digits.idx_files import idx_files, write_files

COMMANDS = ("train", "evaluate", "plot", "sample", "interpolate", "anomaly", "impute")
MNIST = Path(__file__).parents[3] / "shared" / "data" / "mnist"
QUICK = ("--steps", "30", "--hidden", "16", "--batch-size", "8", "--threads", "1")


@pytest.fixture
def data(tmp_path):
    return write_files(tmp_path / "mnist", idx_files(), zipped=True)


def run(*arguments: object):
    return CliRunner().invoke(main, ["digits", *map(str, arguments)])


def succeed(*arguments: object) -> str:
    result = run(*arguments)
    assert result.exit_code == 0, result.output
    return result.output


@pytest.fixture
def trained(data, tmp_path):
    folder = tmp_path / "run"
    succeed("train", "--data", data, "--latent", 2, *QUICK, "-o", folder)
    return folder


def test_every_command_has_help():
    shown = succeed("--help")
    for command in COMMANDS:
        assert command in shown
        assert "melodyvae digits " + command in succeed(command, "--help")


def test_help_needs_neither_torch_nor_matplotlib_and_digits_need_no_melodies():
    program = (
        "import sys\n"
        "from click.testing import CliRunner\n"
        "from melodyvae.cli.main import main\n"
        "for arguments in (['digits', '--help'], ['digits', 'train', '--help'], ['digits', 'plot', '--help']):\n"
        "    assert CliRunner().invoke(main, arguments).exit_code == 0\n"
        "print([name for name in ('torch', 'matplotlib', 'pooch', 'melodyvae.music.melody') if name in sys.modules])\n"
        "import melodyvae.digits.gallery, melodyvae.digits.training, melodyvae.digits.anomaly\n"
        "melodic = [name for name in sys.modules if name in ('melodyvae.music.melody', 'melodyvae.music.tokens')]\n"
        "print([name for name in ('matplotlib', 'pooch') if name in sys.modules] + melodic)\n"
    )
    found = subprocess.run([sys.executable, "-c", program], capture_output=True, text=True, check=True)
    assert found.stdout == "[]\n[]\n"


def test_train_writes_a_run_folder_with_its_provenance(trained):
    assert sorted(path.name for path in trained.iterdir()) == [
        "curves.png",
        "metrics.jsonl",
        "model.safetensors",
        "state.safetensors",
    ]
    checkpoint = load_checkpoint(trained)
    assert checkpoint.kind == "digits"
    assert checkpoint.config["latent_size"] == 2
    assert checkpoint.provenance["updates"] == 30
    assert checkpoint.provenance["data_counts"] == {"train": 110, "held_out": 10, "test": 40}
    assert len(checkpoint.provenance["data_sha256"]) == 64
    assert checkpoint.provenance["data"] == "images of one's own, which are not MNIST"
    assert "held_out_negative_elbo_nats" in checkpoint.metrics["held_out"]
    lines = (trained / "metrics.jsonl").read_text().splitlines()
    assert [json.loads(line)["update"] for line in lines] == [30]


@pytest.mark.parametrize(
    ("options", "expected"),
    [
        (("--preset", "conv"), {"network": "conv"}),
        (("--preset", "plain-autoencoder"), {"variational": False}),
        (("--labels",), {"labels": True}),
        (("--beta", "0"), {"latent_size": 20}),
        (("--kl-only",), {"variational": True}),
    ],
)
def test_every_kind_of_model_trains(data, tmp_path, options, expected):
    output = succeed("train", "--data", data, *options, *QUICK, "-o", tmp_path / "run")
    checkpoint = load_checkpoint(tmp_path / "run")
    assert expected.items() <= checkpoint.config.items()
    assert ("held_out_negative_elbo_nats" in checkpoint.metrics["held_out"]) is checkpoint.config["variational"]
    assert ("has no KL and no negative ELBO" in output) is not checkpoint.config["variational"]


def test_a_run_is_not_overwritten_but_can_be_resumed(data, trained):
    again = run("train", "--data", data, "--latent", 2, *QUICK, "-o", trained)
    assert again.exit_code == 1
    assert "already holds a training; add --resume" in again.output
    succeed("train", "--data", data, "--steps", 40, "-o", trained, "--resume")  # the sizes are remembered
    updates = [json.loads(line)["update"] for line in (trained / "metrics.jsonl").read_text().splitlines()]
    assert updates == [30, 40]


def test_resume_of_nothing_says_so(data, tmp_path):
    result = run("train", "--data", data, *QUICK, "-o", tmp_path / "none", "--resume")
    assert result.exit_code == 1
    assert "there is no training to resume" in result.output


def test_usage_errors_exit_with_2(tmp_path):
    for arguments in (
        ("train", "--data", tmp_path / "nowhere"),
        ("train", "--preset", "huge"),
        ("interpolate", 3, 10),
        ("impute", 3, "-n", 0),
        ("evaluate", "digits-2d", "--save"),
        ("sample", "--digit", 3, "--model", "digits-2d", "-o", tmp_path / "s"),
    ):
        result = run(*arguments)
        assert result.exit_code == 2, (arguments, result.output)


def test_bad_data_exits_with_1_and_a_sentence(data, tmp_path):
    (data / "t10k-labels-idx1-ubyte.gz").write_bytes(b"no idx file")
    result = run("train", "--data", data, *QUICK, "-o", tmp_path / "run")
    assert result.exit_code == 1
    assert "t10k-labels-idx1-ubyte.gz is not an idx file" in result.output
    assert "Traceback" not in result.output


def test_evaluate_prints_our_metrics_beside_the_published_ones(data, trained):
    shown = succeed("evaluate", trained, "--data", data, "--samples", 5, "--threads", 1)
    for expected in (
        "on 40 test digits",
        "negative ELBO, binarised",
        "importance-weighted bound, 5 samples",
        "active units",
        "1-nearest-neighbour accuracy",
        "86.76",
        "Importance Weighted Autoencoders (Burda",
    ):
        assert expected in shown


def test_evaluate_saves_its_metrics_on_demand(data, trained):
    before = load_checkpoint(trained)
    succeed("evaluate", trained, "--data", data, "--samples", 0, "--threads", 1, "--save")
    after = load_checkpoint(trained)
    assert "test" not in before.metrics
    assert after.metrics["held_out"] == before.metrics["held_out"]
    assert after.metrics["test"]["negative_elbo_nats"] > 0
    assert all((after.weights[name] == value).all() for name, value in before.weights.items())


def test_plot_draws_ones_own_model_and_its_curves(data, trained, tmp_path):
    succeed("plot", "--model", trained, "--data", data, "-o", tmp_path / "pictures")
    assert sorted(path.name for path in (tmp_path / "pictures").iterdir()) == [
        "arithmetic.png",
        "curves.png",
        "latent-map.png",
        "manifold.png",
        "reconstructions.png",
        "samples.png",
        "walk.png",
    ]


@pytest.mark.parametrize(
    ("arguments", "picture"),
    [
        (("sample", "-n", 12), "samples.png"),
        (("sample", "--model", "digits-labels", "--digit", 7, "-n", 3), "samples.png"),
        (("interpolate", 3, 8, "-n", 10), "walk.png"),
        (("anomaly", "-n", 40), "anomalies.png"),
        (("impute", 7, "-n", 2), "fillings.png"),
    ],
)
def test_the_uses_need_no_data_set(tmp_path, arguments, picture):
    shown = succeed(*arguments, "-o", tmp_path / "out")
    assert [path.name for path in (tmp_path / "out").iterdir()] == [picture]
    assert imread(tmp_path / "out" / picture).shape[0] > 50
    assert str(tmp_path / "out" / picture) in shown
    again = run(*arguments, "-o", tmp_path / "out")
    assert again.exit_code == 1
    assert "already holds" in again.output


def test_the_same_seed_gives_the_same_picture(tmp_path):
    pictures = []
    for name, seed in (("a", 1), ("b", 1), ("c", 2)):
        succeed("sample", "-n", 10, "--seed", seed, "-o", tmp_path / name)
        pictures.append((tmp_path / name / "samples.png").read_bytes())
    assert pictures[0] == pictures[1] != pictures[2]


def test_anomaly_prints_an_area_for_each_kind(tmp_path):
    shown = succeed("anomaly", "-n", 100, "-o", tmp_path / "out")
    areas = {line[:24].strip(): float(line.split()[-1]) for line in shown.splitlines()[2:7] if len(line) > 40}
    assert set(areas) == {"letters", "shuffled pixels", "upside down", "2 3 4 5 7 upside down"}
    assert areas["shuffled pixels"] > 0.99
    assert areas["2 3 4 5 7 upside down"] > 0.6


@pytest.mark.parametrize("command", [("interpolate", 3, 8), ("impute", 3), ("anomaly",)])
def test_a_conditional_model_is_refused_where_labels_are_unknown(tmp_path, command):
    result = run(*command, "--model", "digits-labels", "-o", tmp_path / "out")
    assert result.exit_code == 1
    assert "needs labels" in result.output


def test_a_digit_that_does_not_occur_is_named(data, tmp_path):
    files = idx_files()
    name = "t10k-labels-idx1-ubyte"
    files[name] = files[name][:8] + bytes(40)
    shutil.rmtree(data)
    write_files(data, files)
    result = run("interpolate", 0, 8, "--data", data, "-o", tmp_path / "out")
    assert result.exit_code == 1
    assert "there is no 8 among the 40 digits" in result.output


@pytest.mark.slow
@pytest.mark.skipif(not all((MNIST / f"{name}.gz").is_file() for name in MD5), reason=f"MNIST is not there, in {MNIST}")
def test_a_real_training_reaches_the_published_region(tmp_path):
    succeed("train", "--data", MNIST, "--steps", 4000, "--threads", 1, "-o", tmp_path / "run")
    succeed("evaluate", tmp_path / "run", "--data", MNIST, "--samples", 0, "--threads", 1, "--save")
    metrics = load_checkpoint(tmp_path / "run").metrics["test"]
    assert metrics["negative_elbo_nats"] < 105
    assert metrics["nearest_neighbour_accuracy"] > 0.95


@pytest.mark.slow
@pytest.mark.skipif(not all((MNIST / f"{name}.gz").is_file() for name in MD5), reason=f"MNIST is not there, in {MNIST}")
@pytest.mark.parametrize(
    ("name", "worst"), [("digits-20d", 105), ("digits-conv", 95), ("digits-5d", 120), ("digits-2d", 145)]
)
def test_the_shipped_metrics_can_be_had_again(tmp_path, name, worst):
    shipped = load_checkpoint(name)
    shutil.copy(Path(__file__).parents[2] / "melodyvae" / "checkpoints" / f"{name}.safetensors", tmp_path / "m")
    succeed("evaluate", tmp_path / "m", "--data", MNIST, "--samples", 0, "--threads", 1, "--save")
    found = load_checkpoint(tmp_path / "m").metrics["test"]["negative_elbo_nats"]
    assert found == pytest.approx(shipped.metrics["test"]["negative_elbo_nats"], abs=0.01)
    assert found <= worst
