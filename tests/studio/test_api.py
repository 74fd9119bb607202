"""The API as a page uses it: pieces in, verbs, files out, sessions."""

import io
import json
import shlex
import zipfile
from urllib.parse import urlencode

import numpy as np
import pretty_midi
import pytest
from click.testing import CliRunner
from starlette.testclient import TestClient

from melodyvae.cli.main import main
from melodyvae.models.melody import MelodyModel
from melodyvae.music.melody import Melody
from melodyvae.network.checkpoint import shipped_names
from melodyvae.studio.engine import Job
from melodyvae.studio.limits import StudioLimits
from melodyvae.studio.requests import VERBS, melody_from_json
from melodyvae.studio.server import EXAMPLES
from melodyvae.verbs.meters import COMPOSING_MODEL
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


def test_notes_that_the_grid_cannot_hold_are_told_with_the_piece_and_with_the_walk(client, tmp_path):
    midi = tune(1, bars=2).to_pretty_midi()
    run = [pretty_midi.Note(80, 60 + i, i * 0.0625, (i + 1) * 0.0625) for i in range(8)]  # thirty-seconds
    midi.instruments[0].notes = run + [note for note in midi.instruments[0].notes if note.start >= 1]
    midi.write(str(tmp_path / "run.mid"))
    piece = client.post("/api/read", params={"name": "run.mid"}, content=(tmp_path / "run.mid").read_bytes()).json()
    assert len(piece["lost_bars"]) >= 3
    assert set(piece["lost_bars"]) == {1}
    assert piece["loss"].startswith(f"{len(piece['lost_bars'])} of ")
    one = {"file": piece["reference"], "first_bar": 1}
    assert do(client, "walk", a=one, b=one, count=2)["result"]["lost"] == [len(piece["lost_bars"])] * 2


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


def by_file(name, piece):
    """A tune of a request: the bars of a piece that are shown."""
    return (
        {"file": piece["reference"], "first_bar": piece["first_bar"]} if name in FILES else {"melody": piece["melody"]}
    )


FILES = ("twinkle.mid", "ode-to-joy.mid", "saints.mid", "frere-jacques.mid")
COMMANDS = {
    "walk": ("walk", {"count": 3}, FILES[:2]),
    "walk of four bars, gliding, of a file and a melody": (
        "walk",
        {"count": 3, "bars": 4, "key": "glide", "tempo": "glide", "scale": "none", "spacing": "latent"},
        ("twinkle.mid", "long one.mid"),
    ),
    "pad": ("pad", {"count": 2}, FILES),
    "pad of melodies": ("pad", {"count": 2, "key": "none"}, ("saints 1-2.mid", "ode.mid", "frere.mid", "other.mid")),
    "morph": ("morph", {"density": 1.0, "syncopation_8": -1.0, "candidates": 8}, ("ode-to-joy.mid",)),
    "vary": ("vary", {"count": 3, "amount": 0.4, "seed": 5}, ("twinkle.mid",)),
    "vary of a waltz": ("vary", {"count": 2, "scale": "D:minor"}, ("waltz.mid",)),
    "complete": ("complete", {"hidden_bars": [2], "count": 2, "seed": 3}, ("ode.mid",)),
    "go on by a bar": ("complete", {"hidden_bars": [3], "count": 1}, ("ode.mid",)),
    "continue": ("continue", {"bars": 2, "count": 2, "seed": 1}, ("ode.mid",)),
    "reconstruct": ("reconstruct", {}, ("ode.mid",)),
    "sample": ("sample", {"count": 2, "seed": 4, "scale": "G:major", "tempo": 90.0}, ()),
    "sample of sixteen bars": ("sample", {"count": 1, "bars": 16, "key": "D:minor", "density": 5.0, "seed": 2}, ()),
    "sample of waltzes": ("sample", {"count": 2, "meter": "3/4", "seed": 2}, ()),
}


@pytest.fixture(scope="module")
def shelf(client, pieces):
    """Pieces under the names that their files have."""
    abc = "X:1\nM:3/4\nL:1/4\nQ:1/4=150\nK:G\nGBd|g2d|edc|B2G|\n"
    waltz = client.post("/api/read", params={"name": "waltz.abc"}, content=abc.encode()).json()
    frere, ode, saints, twinkle = pieces
    whole = example(client, 0, bar=1, bars=8)
    kept = {"ode.mid": ode, "frere.mid": frere, "other.mid": twinkle, "saints 1-2.mid": saints, "waltz.mid": waltz}
    return dict(zip(FILES, (twinkle, ode, saints, frere), strict=True)) | {"long one.mid": whole} | kept


@pytest.mark.parametrize("name", COMMANDS)
def test_the_shell_command_does_what_the_page_shows(client, shelf, tmp_path, monkeypatch, name):
    verb, request, files = COMMANDS[name]
    tunes = [by_file(file, shelf[file]) for file in files]
    melodies = [shelf[file]["melody"] for file in files]
    told = {
        "walk": lambda: {"a": tunes[0], "b": tunes[1]},
        "pad": lambda: {"corners": [{key: tune[key] for key in ("file", "melody") if key in tune} for tune in tunes]},
        "sample": lambda: {},
        "morph": lambda: {"tune": tunes[0]},
        "vary": lambda: {"tune": tunes[0]},
    }.get(verb, lambda: {"melody": melodies[0]})()
    result = do(client, verb, query=[("command", 1), *(("file", file) for file in files)], **request, **told)["result"]
    monkeypatch.chdir(tmp_path)
    for file in files:
        if file in FILES:
            (tmp_path / file).write_bytes((TUNES / file).read_bytes())
        else:
            (tmp_path / file).write_bytes(client.post("/api/midi", json={"melodies": [shelf[file]["melody"]]}).content)
    words = shlex.split(result["command"])
    assert words[0] == "melodyvae"
    done = CliRunner().invoke(main, [*words[1:], "--feel", "straight", "-o", "out"])
    assert done.exit_code == 0, done.output
    written = [path for path in sorted((tmp_path / "out").glob("*.mid")) if path.name != "all.mid"]
    shown = result.get("melodies") or [result["frame"] | {"notes": notes} for notes in result["cells"]]
    assert len(written) == len(shown) >= 1
    for path, plain in zip(written, shown, strict=True):
        notes = [list(note[:3]) for note in Melody.from_midi(path).notes]
        assert notes == [note[:3] for note in plain["notes"]], f"{path.name}: {result['command']}"
        assert Melody.from_midi(path).quarters_per_minute == pytest.approx(plain["quarters_per_minute"], abs=0.01)


def test_the_defaults_of_a_walk_are_those_of_the_command(client, pieces):
    a, b = pieces[3], pieces[1]
    query = [("command", 1), ("file", "a.mid"), ("file", "b.mid")]
    request = {"a": by_file("twinkle.mid", a), "b": by_file("ode-to-joy.mid", b)}
    result = do(client, "walk", query=query, **request)["result"]
    assert result["steps_right"] == [32, 32]
    assert result["command"] == (f"melodyvae interpolate a.mid b.mid --bar-a {a['first_bar']} --bar-b {b['first_bar']}")
    assert {melody["quarters_per_minute"] for melody in result["melodies"]} == {a["melody"]["quarters_per_minute"]}
    do(client, "walk", 422, **request, key="H")
    do(client, "walk", 422, **request, tempo="fast")
    do(client, "walk", 422, **request, scale="H:major")
    do(client, "walk", 422, a={"file": "opened/7"}, b=request["b"])
    do(client, "walk", 422, a={}, b=request["b"])


def test_a_waltz_keeps_its_meter_and_tunes_of_two_meters_are_walked_in_the_first_ones(client, studio, pieces, shelf):
    waltz, ode = shelf["waltz.mid"], pieces[1]
    assert (waltz["melody"]["meter"], waltz["melody"]["length_steps"]) == ([3, 4], 24)
    both = [{"file": piece["reference"], "first_bar": 1} for piece in (waltz, ode)]
    for (a, b), steps in ((both, 24), (both[::-1], 32)):
        result = do(client, "walk", a=a, b=b, count=3)["result"]
        assert (result["model"], result["steps"], result["steps_right"]) == ("melody-2bar", steps, [steps, steps])
        own, bars = ("4/4", "3/4") if a is both[0] else ("3/4", "4/4")
        assert result["decisions"][0] == f"B is in {own}: bars of {bars} are laid over it, beat on beat"
    melodies = [do(client, "walk", a={"melody": waltz["melody"]}, b={"melody": ode["melody"]}, count=2)["result"]]
    assert melodies[0]["steps"] == 24
    assert set(studio.engine.held) <= {"melody-2bar", "melody-compose"}


def test_the_other_tracks_play_on_under_a_walk_and_in_its_file(client, tmp_path):
    lead, bass = tune(1, bars=4, name="lead"), tune(2, bars=4, name="bass")
    midi = lead.to_pretty_midi()
    midi.instruments.append(bass.to_pretty_midi().instruments[0])
    drums = tune(3, bars=4, name="kit").to_pretty_midi().instruments[0]
    drums.is_drum = True
    midi.instruments.append(drums)
    midi.write(str(tmp_path / "three.mid"))
    piece = client.post("/api/read", params={"name": "three.mid"}, content=(tmp_path / "three.mid").read_bytes()).json()
    a = {"file": piece["reference"], "track": 1, "first_bar": 1}
    query = [("command", 1), ("file", "three.mid"), ("file", "three.mid")]
    result = do(client, "walk", query=query, a=a, b=a | {"first_bar": 3}, count=2, keep_accompaniment=True)["result"]
    assert result["command"].endswith("--bar-a 1 --bar-b 3 --track-a 1 --track-b 1 --keep-accompaniment")
    assert "A's accompaniment: 2 other tracks play on" in result["decisions"]
    parts = result["backings"][0]
    assert [(part["name"], part["drums"]) for part in parts] == [("bass", False), ("kit", True)]
    asked = {"melodies": result["melodies"], "backings": result["backings"]}
    (tmp_path / "walk.mid").write_bytes(client.post("/api/midi", json=asked).content)
    back = pretty_midi.PrettyMIDI(str(tmp_path / "walk.mid"))
    assert [(part.name, part.is_drum) for part in back.instruments] == [
        ("melody", False),
        ("bass", False),
        ("kit", True),
    ]
    assert len(back.instruments[1].notes) == len(parts[0]["notes"]) + len(result["backings"][1][0]["notes"])
    assert [note.pitch for note in back.instruments[1].notes[:3]] == [note[2] for note in parts[0]["notes"][:3]]
    archive = client.post("/api/zip", json=asked | {"names": ["one", "two"]})
    assert zipfile.ZipFile(io.BytesIO(archive.content)).namelist() == ["one.mid", "two.mid", "all.mid"]
    broken = [[parts[0] | {"notes": [[0, 1, 200, 80]]}], []]
    assert client.post("/api/midi", json=asked | {"backings": broken}).status_code == 422
    assert client.post("/api/midi", json=asked | {"backings": []}).status_code == 422


def test_a_file_that_is_not_kept_any_more_is_asked_for_again(client, studio, pieces):
    data = (TUNES / "saints.mid").read_bytes()
    reference = client.post("/api/read", params={"name": "mine.mid"}, content=data).json()["reference"]
    tune = {"file": reference, "first_bar": 1}
    assert do(client, "vary", tune=tune, count=1)["result"]["melodies"]
    studio.pieces._uploads.clear()
    assert do(client, "vary", tune=tune, count=1) == {"missing": reference}
    assert client.post("/api/read", params={"name": "mine.mid"}, content=data).json()["reference"] == reference
    assert do(client, "vary", tune=tune, count=1)["result"]["melodies"]


def test_the_pad_has_the_four_tunes_at_its_corners(client, melodies):
    result = do(client, "pad", corners=[{"melody": melody} for melody in melodies], count=5, key="none")["result"]
    assert len(result["cells"]) == 25
    for place, melody in zip((0, 4, 20, 24), melodies, strict=True):
        assert result["cells"][place] == [note[:3] for note in melody["notes"]]
    assert result["distinct"] > 8


def test_tunes_on_the_pad_from_bars_of_their_own_have_no_command(client, pieces):
    corners = [{"file": piece["reference"], "first_bar": bar} for bar, piece in zip((1, 1, 3, 1), pieces, strict=True)]
    query = [("command", 1), *(("file", piece["file"]) for piece in pieces)]
    assert do(client, "pad", query=query, corners=corners, count=2)["result"]["command"] is None
    for corner in corners:
        corner["first_bar"] = 3
    command = do(client, "pad", query=query, corners=corners, count=2)["result"]["command"]
    assert command.endswith("twinkle.mid -n 2 --bar 3")


def test_a_moved_density_is_measured(client, melodies):
    query = [("command", 1), ("file", "a b.mid")]
    tune = {"melody": melodies[3]}
    result = do(client, "morph", query=query, tune=tune, density=1.5, scale="C:major")["result"]
    measured = result["measured"]["density"]
    assert measured["before"] < measured["after"]
    assert all((note[2] % 12) in {0, 2, 4, 5, 7, 9, 11} for note in result["melodies"][-1]["notes"])
    assert result["command"] == "melodyvae morph 'a b.mid' --density 1.5 --scale C:major -n 2 --candidates 48"


def test_variations_differ_from_the_tune(client, melodies):
    request = {"tune": {"melody": melodies[0]}, "count": 3, "amount": 0.5, "seed": 7}
    result = do(client, "vary", **request)["result"]
    assert len(result["melodies"]) == 3
    assert min(result["changed"]) > 0
    assert result["melodies"] == do(client, "vary", **request)["result"]["melodies"]


def test_a_hidden_bar_is_filled_in_and_the_rest_left_alone(client, melodies):
    (found,) = do(client, "complete", melody=melodies[1], hidden_bars=[2])["result"]["melodies"]
    assert [note for note in found["notes"] if note[1] <= 16] == [n for n in melodies[1]["notes"] if n[1] <= 16]
    both = do(client, "complete", query=[("command", 1)], melody=melodies[1], hidden_bars=[2, 3])["result"]
    assert both["melodies"][0]["length_steps"] == 48
    assert both["command"] is None  # the command line does one or the other


def test_new_tunes_come_in_the_scale_and_near_the_density(client):
    request = {"count": 2, "bars": 2, "scale": "D:minor", "tempo": 90.0}
    sparse, dense = (do(client, "sample", density=density, **request)["result"]["melodies"] for density in (2, 12))
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


def test_the_model_that_judges_notes_is_held_and_its_calls_are_counted(client, studio, melodies, monkeypatch):
    do(client, "score", melody=melodies[3])
    judge, counted = studio.engine.model(COMPOSING_MODEL), []
    monkeypatch.setattr(Job, "step", lambda job: counted.append(studio.engine._running is job))
    monkeypatch.setattr(judge, "nats", lambda *args: counted.append("judge") or type(judge).nats(judge, *args))
    assert do(client, "score", melody=melodies[3])["result"]["notes"]
    assert counted.count("judge") >= 1
    assert all(counted[place - 1] is True for place, what in enumerate(counted) if what == "judge")


def test_every_verb_says_what_is_wrong_with_a_request(client, melodies):
    assert len(VERBS) == 9
    tune = {"melody": melodies[0]}
    assert "has no" in do(client, "walk", 422)["error"]
    assert "a field 'odd'" in do(client, "score", 422, melody=melodies[0], odd=1)["error"]
    assert do(client, "vary", 422, tune=tune, count=10_000)["error"] == ("count is 10000; it must be at most 64 here")
    assert "whole number" in do(client, "vary", 422, tune=tune, count=True)["error"]
    assert "must be one of" in do(client, "walk", 422, a=tune, b=tune, ends="x")["error"]
    assert "a list of four tunes" in do(client, "pad", 422, corners=[tune] * 3)["error"]
    overlapping = melodies[0] | {"notes": [[0, 8, 60, 80], [4, 9, 62, 80]]}
    assert "must not overlap" in do(client, "score", 422, melody=overlapping)["error"]
    assert "at most 4096" in do(client, "score", 422, melody=melodies[0] | {"notes": [[0, 1, 60, 80]] * 5000})["error"]
    assert "not a scale" in do(client, "sample", 422, scale="H:major")["error"]
    assert "a field 'odd'" in do(client, "morph", 422, tune=tune, odd=1)["error"]
    assert "nothing to move" in do(client, "morph", 422, tune=tune)["error"]
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
