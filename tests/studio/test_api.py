"""The API as a page uses it: pieces in, verbs, files out, sessions."""

import io
import json
import shlex
import zipfile
from urllib.parse import urlencode

import numpy as np
import pytest
from click.testing import CliRunner
from starlette.testclient import TestClient

from data_prep.melody import Melody
from melodyvae.cli.main import main
from melodyvae.models.checkpoint import shipped_names
from melodyvae.models.melody import MelodyModel
from melodyvae.studio.limits import StudioLimits
from melodyvae.studio.requests import melody_from_json
from melodyvae.studio.server import EXAMPLES
from melodyvae.studio.verbs import VERBS
from tests.cli.test_cli import BAD_FILES
from tests.conftest import tune
from tests.studio.conftest import TUNES

LIMITS = StudioLimits()


@pytest.fixture(scope="module")
def client(studio):
    with TestClient(studio.app, base_url=f"http://127.0.0.1:{studio.port}") as found:
        found.headers["x-studio-token"] = studio.token
        yield found


def example(client, number=0, **query):
    answer = client.post(f"/api/example/{number}", params=query)
    assert answer.status_code == 200, answer.text
    return answer.json()


def do(client, verb, status=200, query=(), **request):
    answer = client.post(f"/api/do/{verb}?{urlencode(query)}", json=request)
    assert answer.status_code == status, answer.text
    return json.loads(answer.text.splitlines()[-1])


@pytest.fixture(scope="module")
def pieces(client):
    return [example(client, number) for number in range(4)]


@pytest.fixture(scope="module")
def melodies(pieces):
    return [piece["melody"] for piece in pieces]


def test_the_state_says_what_the_page_must_know(client):
    state = client.get("/api/state").json()
    assert state["examples"] == ["frere-jacques", "ode-to-joy", "saints", "twinkle"]
    assert state["opened"] == ["twinkle.mid", "ode-to-joy.mid"]
    assert (state["model"]["bars"], state["model"]["steps_per_bar"]) == (2, 16)
    assert "density" in [attribute["name"] for attribute in state["model"]["attributes"]]


def test_the_examples_in_the_package_are_those_of_the_repository(client):
    names = client.get("/api/state").json()["examples"]
    assert len(names) == 4
    for number, name in enumerate(names):
        assert (EXAMPLES / f"{name}.mid").read_bytes() == (TUNES / f"{name}.mid").read_bytes()
        assert example(client, number)["name"] == name


def test_a_piece_says_which_track_and_bars_were_taken_and_gives_others_when_asked(client, tmp_path):
    midi = tune(1, bars=8).to_pretty_midi()
    midi.instruments[0].name = "lead"
    other = tune(2, bars=8).to_pretty_midi().instruments[0]
    other.name = "bass"
    midi.instruments.append(other)
    midi.write(str(tmp_path / "two.mid"))
    data = (tmp_path / "two.mid").read_bytes()
    piece = client.post("/api/read", params={"name": "two.mid"}, content=data).json()
    assert (piece["track"], piece["first_bar"], piece["last_bar"], piece["bars"]) == (1, 1, 2, 8)
    assert [track["name"] for track in piece["tracks"]] == ["lead", "bass"]
    assert "its name" in piece["why"]
    moved = client.post("/api/read", params={"name": "two.mid", "track": 2, "bar": 3, "bars": 4}, content=data).json()
    assert (moved["track"], moved["first_bar"], moved["melody"]["length_steps"]) == (2, 3, 64)
    assert moved["melody"]["notes"] != piece["melody"]["notes"]


@pytest.mark.parametrize(("data", "sentence"), BAD_FILES.values(), ids=BAD_FILES)
def test_a_bad_file_gets_the_sentence_that_the_command_line_gives(client, tmp_path, data, sentence):
    if len(data) > LIMITS.upload_bytes:
        data = data[:1000]
    answer = client.post("/api/read", params={"name": "../../etc/odd.mid"}, content=data)
    (tmp_path / "odd.mid").write_bytes(data)
    said = CliRunner().invoke(main, ["inspect", str(tmp_path / "odd.mid")]).output
    assert answer.status_code == 422
    error = answer.json()["error"]
    assert error.startswith("odd.mid")
    if "Error" in said:
        assert error in said.replace(str(tmp_path) + "/", "")


def test_scores_are_read_too(client):
    abc = "X:1\nM:4/4\nL:1/4\nK:G\nGABc|dedB|c2A2|G4|\n"
    piece = client.post("/api/read", params={"name": "tune.abc"}, content=abc.encode()).json()
    assert [note[2] for note in piece["melody"]["notes"]] == [67, 69, 71, 72, 74, 76, 74, 71]


def test_a_walk_is_the_walk_of_the_command_line(client, pieces, tmp_path, monkeypatch):
    a, b = pieces[3], pieces[1]
    query = [
        ("command", 1),
        ("file", "twinkle.mid"),
        ("file", "ode-to-joy.mid"),
        ("bar", a["first_bar"]),
        ("bar", b["first_bar"]),
    ]
    result = do(
        client,
        "walk",
        query=query,
        a=a["melody"],
        b=b["melody"],
        count=4,
        key="a",
        sounding_a=a["sounding"],
        sounding_b=b["sounding"],
    )["result"]
    assert result["steps_right"] == [32, 32]
    monkeypatch.chdir(tmp_path)
    for name in ("twinkle", "ode-to-joy"):
        (tmp_path / f"{name}.mid").write_bytes((TUNES / f"{name}.mid").read_bytes())
    words = shlex.split(result["command"])
    assert words[:2] == ["melodyvae", "interpolate"]
    done = CliRunner().invoke(main, words[1:])
    assert done.exit_code == 0, done.output
    written = sorted((tmp_path / "twinkle-to-ode-to-joy").glob("0*.mid"))
    assert len(written) == len(result["melodies"]) == 4
    for path, plain in zip(written, result["melodies"], strict=True):
        assert Melody.from_midi(path).notes == melody_from_json(plain, LIMITS).notes


def test_the_pad_has_the_four_tunes_at_its_corners(client, melodies):
    result = do(client, "pad", corners=melodies, size=5)["result"]
    assert len(result["cells"]) == 25
    for place, melody in zip((0, 4, 20, 24), melodies, strict=True):
        assert result["cells"][place] == [note[:3] for note in melody["notes"]]
    assert result["distinct"] > 8


def test_a_moved_density_is_measured(client, melodies):
    query = [("command", 1), ("file", "a b.mid"), ("bar", 3), ("track", 2)]
    result = do(client, "morph", query=query, melody=melodies[3], amounts={"density": 1.5}, scale="C:major")["result"]
    measured = result["measured"]["density"]
    assert measured["before"] < measured["after"]
    assert all((note[2] % 12) in {0, 2, 4, 5, 7, 9, 11} for note in result["melodies"][-1]["notes"])
    assert result["command"] == (
        "melodyvae morph 'a b.mid' --bar 3 --track 2 --density +1.5 --scale C:major -n 2 --candidates 48 "
        "--model melody-2bar"
    )


def test_variations_differ_from_the_tune(client, melodies):
    result = do(client, "vary", melody=melodies[0], count=3, amount=0.5, seed=7)["result"]
    assert len(result["melodies"]) == 3
    assert min(result["changed"]) > 0
    assert (
        result["melodies"] == do(client, "vary", melody=melodies[0], count=3, amount=0.5, seed=7)["result"]["melodies"]
    )


def test_a_hidden_bar_is_filled_in_and_the_rest_left_alone(client, melodies):
    result = do(client, "complete", melody=melodies[1], hidden_bars=[1], query=[("command", 1), ("file", "x.mid")])
    (found,) = result["result"]["melodies"]
    assert [note for note in found["notes"] if note[1] <= 16] == [n for n in melodies[1]["notes"] if n[1] <= 16]
    assert result["result"]["command"] == "melodyvae complete x.mid --hide 2 -n 1 --model melody-2bar"


def test_new_tunes_come_in_the_scale_and_near_the_density(client):
    sparse, dense = (
        do(client, "sample", count=2, density=density, scale="D:minor", quarters_per_minute=90)["result"]["melodies"]
        for density in (2, 12)
    )
    counts = [np.mean([len(melody["notes"]) for melody in found]) for found in (sparse, dense)]
    assert counts[0] < counts[1]
    assert {note[2] % 12 for melody in sparse + dense for note in melody["notes"]} <= {2, 4, 5, 7, 9, 10, 0}


def test_a_wrong_note_is_doubtful(client, melodies):
    notes = [[0, 4, 60, 80], [4, 8, 60, 80], [8, 12, 73, 80], [12, 16, 67, 80], [16, 20, 69, 80], [24, 32, 67, 80]]
    wrong = melodies[3] | {"notes": notes}
    result = do(client, "score", melody=wrong)["result"]
    assert len(result["windows"]) == 1
    doubtful = [note["start"] for note in result["notes"] if note["doubtful"]]
    assert doubtful == [wrong["notes"][2][0]]


def test_every_verb_says_what_is_wrong_with_a_request(client, melodies):
    assert len(VERBS) == 7
    assert "has no" in do(client, "walk", 422)["error"]
    assert "a field 'odd'" in do(client, "score", 422, melody=melodies[0], odd=1)["error"]
    assert do(client, "vary", 422, melody=melodies[0], count=10_000)["error"] == (
        "count is 10000; it must lie between 1 and 64"
    )
    assert "whole number" in do(client, "vary", 422, melody=melodies[0], count=True)["error"]
    assert "must be one of" in do(client, "walk", 422, a=melodies[0], b=melodies[0], key="x")["error"]
    assert "4 entries" not in do(client, "pad", 422, corners=melodies[:3])["error"]
    assert "it must have 4" in do(client, "pad", 422, corners=melodies[:3])["error"]
    overlapping = melodies[0] | {"notes": [[0, 8, 60, 80], [4, 9, 62, 80]]}
    assert "must not overlap" in do(client, "score", 422, melody=overlapping)["error"]
    assert "at most 4096" in do(client, "score", 422, melody=melodies[0] | {"notes": [[0, 1, 60, 80]] * 5000})["error"]
    assert "no scale" in do(client, "sample", scale="H:major")["error"]
    assert "there is no attribute" in do(client, "morph", melody=melodies[0], amounts={"odd": 1})["error"]
    assert client.post("/api/do/odd", json={}).status_code == 404
    assert client.post("/api/do/walk", content=b"{", headers={"content-type": "application/json"}).status_code == 400
    assert client.post("/api/do/walk", content=b"{}", headers={"content-type": "text/plain"}).status_code == 415
    deep = b"[" * 100_000
    assert client.post("/api/do/walk", content=deep, headers={"content-type": "application/json"}).status_code == 400


def test_a_downloaded_file_is_the_tune(client, melodies, tmp_path):
    answer = client.post("/api/midi", json={"melodies": melodies[:1]})
    (tmp_path / "one.mid").write_bytes(answer.content)
    back = Melody.from_midi(tmp_path / "one.mid")
    assert back.notes == melody_from_json(melodies[0], LIMITS).notes
    joined = client.post("/api/midi", json={"melodies": melodies})
    (tmp_path / "all.mid").write_bytes(joined.content)
    assert Melody.from_midi(tmp_path / "all.mid").bars == 8


def test_a_zip_holds_each_tune_under_a_safe_name_and_all_in_a_row(client, melodies, tmp_path):
    names = ["../../up", "same", "same", "CON/../x"]
    answer = client.post("/api/zip", json={"melodies": melodies, "names": names})
    archive = zipfile.ZipFile(io.BytesIO(answer.content))
    assert archive.namelist() == ["up.mid", "same.mid", "same-2.mid", "x.mid", "all.mid"]
    archive.extract("same.mid", tmp_path)
    assert Melody.from_midi(tmp_path / "same.mid").notes == melody_from_json(melodies[1], LIMITS).notes


def test_a_session_comes_back(client):
    session = "0123456789abcdef" * 2
    assert client.get(f"/api/session/{session}").status_code == 404
    assert client.put(f"/api/session/{session}", content=b'{"tunes": []}').status_code == 200
    assert client.get(f"/api/session/{session}").json() == {"tunes": []}
    assert client.put(f"/api/session/{session}", content=b"{").status_code == 422
    assert client.put("/api/session/odd", content=b"{}").status_code == 422


def test_the_soundfont_is_the_one_of_pretty_midi(client):
    assert client.get("/api/soundfont").content[:4] == b"RIFF"


def test_the_longer_model_is_there_for_sixteen_bars():
    assert "melody-16bar" in shipped_names()
    assert MelodyModel.from_pretrained("melody-16bar").config.bars == 16
