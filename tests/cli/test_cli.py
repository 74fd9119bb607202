"""Each command: exit status, what it prints, what it writes; and what it says to bad input."""

import json
import os
import re
import signal
import struct
import subprocess
import sys
import tempfile
import webbrowser
from pathlib import Path
from urllib.parse import quote

import numpy as np
import pretty_midi
import pytest
from click.testing import CliRunner

from data_prep.prepare import PrepOptions, prepare
from melodyvae.cli.main import COMMANDS, main
from melodyvae.models.checkpoint import load_checkpoint, read_tensors
from melodyvae.models.melody import MelodyModel
from melodyvae.music.melody import Melody, MelodyNote
from melodyvae.music.tokens import Vocabulary
from tests.children import start_child
from tests.conftest import tune

HEADER = b"MThd" + struct.pack(">IHHH", 6, 1, 1, 480)


def chunk(*events: bytes) -> bytes:
    body = b"".join(events) + b"\x00\xff\x2f\x00"  # end of track
    return b"MTrk" + struct.pack(">I", len(body)) + body


BAD_FILES = {
    "empty": (b"", r"is empty \(0 bytes\)"),
    "not MIDI": (b"GIF89a......", "is not a MIDI file"),
    "header only": (HEADER[:9], "ends after 9 bytes"),
    "truncated": (HEADER + b"MTrk" + struct.pack(">I", 500) + b"\x00\x90\x3c", "is truncated"),
    "no event of MIDI": (HEADER + chunk(b"\x00\x90\x3c\xe0", b"\x83\x60\xf4\x3c\x00"), "is damaged"),
    "audio": (b"RIFF\0\0\0\0WAVEfmt ", "is audio"),
    "type 2": (b"MThd" + struct.pack(">IHHH", 6, 2, 2, 480) + 2 * chunk(b"\x00\x90\x3c\x50"), "of type 2"),
    "drums only": (HEADER + chunk(b"\x00\x99\x26\x50", b"\x83\x60\x89\x26\x00"), "it has only drums"),
    "no notes": (HEADER + chunk(), "there is no note in it"),
    "noise": (np.random.default_rng(0).bytes(10_000_000), "is not a MIDI file"),
    "noise in a track": (
        HEADER + b"MTrk" + struct.pack(">I", 10_000) + np.random.default_rng(1).bytes(10_000),
        "is damaged",
    ),
}


@pytest.fixture
def tunes(tmp_path):
    paths = [tmp_path / "first.mid", tmp_path / "second.mid"]
    for seed, path in enumerate(paths):
        tune(seed, bars=4, quarters_per_minute=100 + 20 * seed, program=seed).write(path)
    return [str(path) for path in paths]


def run(*arguments, status=0):
    """The output of a command that must end with that exit status."""
    result = CliRunner().invoke(main, [str(argument) for argument in arguments])
    assert result.exit_code == status, result.output
    assert result.exception is None or isinstance(result.exception, SystemExit)
    return result.output


def written(folder: Path) -> list[Path]:
    """The MIDI files of the tunes in a folder of results, in order."""
    return sorted(folder.glob("[0-9]*-of-*.mid"))


def test_interpolate_walks_two_bars_of_long_tunes_too(tmp_path):
    for seed, (name, bars) in enumerate(zip("ab", (16, 20), strict=True)):
        tune(seed, bars=bars).write(tmp_path / f"{name}.mid")
    a, b, out = (tmp_path / name for name in ("a.mid", "b.mid", "walk"))
    run("interpolate", a, b, "-n", "2", "-o", out, "--ends", "original", "--spacing", "latent")
    assert [Melody.from_midi(path).bars for path in written(out)] == [2, 2]


@pytest.mark.parametrize("command", COMMANDS)
def test_every_command_has_help(command):
    output = run(command, "--help")
    assert output.startswith("Usage:")
    assert f"melodyvae {command}" in output


def test_help_lists_the_commands_and_version_says_the_version():
    assert all(command in run("--help") for command in COMMANDS)
    assert "0.1" in run("--version")


def test_an_unknown_command_is_a_usage_error():
    assert "No such command" in run("interpolte", status=2)


def test_interpolate_writes_the_walk_the_row_and_the_picture(tunes, run_folder, tmp_path):
    out = tmp_path / "walk"
    options = ["--model", run_folder, "--temperature", "1", "--ends", "original", "--tempo", "glide"]
    output = run("interpolate", *tunes, "-n", "5", "-o", out, *options)
    beside = {path.name for path in out.iterdir()} - {path.name for path in written(out)}
    assert beside == {"all.mid", "index.html", "piano-rolls.png"}
    assert [path.name.partition("_")[0] for path in written(out)] == [f"0{index}-of-5" for index in range(1, 6)]
    for line in ("A is first.mid: track 1 of 1", "A is taken from bars 1 to 2", "B reconstructed: "):
        assert line in output
    melodies = [Melody.from_midi(path) for path in written(out)]
    assert {melody.bars for melody in melodies} == {2}
    assert [round(melody.quarters_per_minute) for melody in melodies] == [100, 105, 110, 115, 120]
    assert {melody.program for melody in melodies} == {0}
    in_a_row = Melody.from_midi(out / "all.mid")
    assert in_a_row.bars == 10
    assert [in_a_row.window(2 * i, 2).notes for i in range(5)] == [melody.notes for melody in melodies]
    assert (out / "piano-rolls.png").read_bytes().startswith(b"\x89PNG")


def test_the_same_inputs_and_seed_give_the_same_bytes(tunes, run_folder, tmp_path):
    folders = [tmp_path / name for name in ("one", "two", "other seed")]
    for folder, seed in zip(folders, (3, 3, 4), strict=True):
        options = ["-n", "3", "--model", run_folder, "--temperature", "1", "--seed", seed]
        run("interpolate", *tunes, "-o", folder, *options)
    contents = [{path.name: path.read_bytes() for path in folder.iterdir()} for folder in folders]
    assert len(contents[0]) == 6
    assert contents[0] == contents[1]
    assert contents[0] != contents[2]


def test_play_opens_the_page_of_the_results(tunes, run_folder, tmp_path, monkeypatch):
    opened = []
    monkeypatch.setattr(webbrowser, "open", opened.append)
    arguments = ["vary", tunes[0], "-n", "2", "--temperature", "1", "-o", tmp_path / "o", "--model", run_folder]
    run(*arguments)
    assert opened == []
    run(*arguments, "--force", "--play")
    assert opened == [(tmp_path / "o" / "index.html").as_uri()]
    page = (tmp_path / "o" / "index.html").read_text(encoding="utf-8")
    assert page.count("data-tune=") == 3  # the tune and two more
    assert f'href="{quote(written(tmp_path / "o")[0].name)}"' in page
    assert "the tune is taken from bars" in page


def test_the_output_folder_is_named_after_the_files(tunes, run_folder, tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    run("interpolate", *tunes, "-n", "2", "--model", run_folder)
    assert len(written(tmp_path / "first-to-second")) == 2


def test_a_folder_that_is_there_needs_no_room_beside_it(tunes, run_folder, tmp_path, monkeypatch):
    """It may be where another disk is mounted: the temporary folder must lie on the same one."""
    out = tmp_path / "mounted"
    out.mkdir()
    made = []
    plain = tempfile.mkdtemp
    monkeypatch.setattr(tempfile, "mkdtemp", lambda *a, **k: made.append(Path(k["dir"])) or plain(*a, **k))
    run("interpolate", *tunes, "-n", "2", "-o", out, "--model", run_folder)
    assert made == [out]
    assert {"all.mid", "index.html", "piano-rolls.png"} < {path.name for path in out.iterdir()}
    assert len(list(out.iterdir())) == 5


@pytest.mark.parametrize("place", ["/proc/none"] * sys.platform.startswith("linux") + ["first.mid/none"])
def test_a_place_that_cannot_be_written_to_is_named(tunes, run_folder, tmp_path, monkeypatch, place):
    monkeypatch.chdir(tmp_path)
    output = run("interpolate", *tunes, "-n", "2", "-o", place, "--model", run_folder, status=1)
    assert output.splitlines()[-1].startswith(f"Error: cannot write to {place} (")
    assert "lock" not in output


@pytest.mark.parametrize("count", [1, 2, 3, 5])
def test_a_grid_says_how_many_files_it_takes(tunes, count):
    output = run("grid", *(4 * tunes)[:count], status=2)
    assert (
        f"a grid lies between 4 tunes: give A (top left), B (top right), C (bottom left) and D (bottom right), and "
        f"not {count} file" in " ".join(output.split())
    )


def test_tunes_that_a_scale_has_moved_are_not_said_to_stay(tunes, run_folder, tmp_path):
    output = run("interpolate", *tunes, "-n", "2", "-o", tmp_path / "out", "--model", run_folder, "--scale", "D:dorian")
    assert "A and B are moved to D dorian" in output
    assert "nothing is moved" not in output


def test_results_are_never_silently_overwritten(tunes, run_folder, tmp_path):
    out = tmp_path / "out"
    run("interpolate", *tunes, "-n", "2", "-o", out, "--model", run_folder)
    first = written(out)[0]
    first.write_bytes(b"mine")
    output = run("interpolate", *tunes, "-n", "2", "-o", out, "--model", run_folder, status=1)
    assert "already holds all.mid, piano-rolls.png and index.html" in output
    assert "--force" in output
    assert first.read_bytes() == b"mine"
    (out / "notes-of-mine.mid").write_bytes(b"mine")
    more = ["-n", "3", "--temperature", "1", "--ends", "original"]
    run("interpolate", *tunes, *more, "-o", out, "--model", run_folder, "--force")
    assert [path.name.partition("_")[0] for path in written(out)] == ["01-of-3", "02-of-3", "03-of-3"]
    assert (out / "notes-of-mine.mid").read_bytes() == b"mine"


def test_force_replaces_results_only_and_never_an_input(tunes, run_folder, tmp_path):
    album = tmp_path / "album"
    album.mkdir()
    for number in (1, 2):
        (album / f"0{number}.mid").write_bytes(Path(tunes[0]).read_bytes())
    (album / "all.mid").write_bytes(b"mine")
    output = run("sample", "-n", "2", "-o", album, "--model", run_folder, "--force", status=1)
    assert "album holds all.mid, but no piano-rolls.png beside it, so it is not a folder of results" in output
    run("sample", "-n", "2", "-o", tmp_path / "own", "--model", run_folder)
    joined = tmp_path / "own" / "all.mid"
    before = joined.read_bytes()
    asked = ["interpolate", joined, tunes[1], "-o", tmp_path / "own", "--model", run_folder]
    assert "own holds all.mid, an input, which is not replaced" in run(*asked, "-n", "2", "--force", status=1)
    assert joined.read_bytes() == before
    first = written(tmp_path / "own")[0]
    before = first.read_bytes()
    more = ["-n", "3", "--temperature", "1", "--ends", "original"]
    run("interpolate", first, tunes[1], *more, "-o", tmp_path / "own", "--model", run_folder, "--force")
    assert first.read_bytes() == before
    assert (album / "01.mid").read_bytes() == Path(tunes[0]).read_bytes()


def test_bars_and_tracks_can_be_chosen(tunes, run_folder, tmp_path):
    output = run(
        *("interpolate", *tunes, "-n", "2", "-o", tmp_path / "o", "--model", run_folder),
        *("--bar-a", "3", "--track-b", "1"),
    )
    assert "A is taken from bars 3 to 4" in output


@pytest.mark.parametrize(
    ("options", "status", "message"),
    [
        (["-n", "0"], 2, "0 is not in the range 2<=x"),
        (["-n", "1"], 2, "1 is not in the range 2<=x"),
        (["--bar-a", "99"], 1, "no bar 99: the melody has bars 1 to 4"),
        (["--track-a", "lead"], 1, "there is no track 'lead'; the tracks are: 1"),
        (["--model", "nonsense"], 1, "no model 'nonsense'"),
        (["--temperature", "-1"], 2, "not in the range"),
        (["--temperature", "nan"], 2, "'nan' is not a finite number"),
        (["--temperature", "inf"], 2, "'inf' is not a finite number"),
        (["--seed", "-1"], 2, "not in the range"),
        (["--seed", "99999999999999999999"], 2, "not in the range"),
    ],
)
def test_bad_options_get_a_sentence(tunes, run_folder, tmp_path, options, status, message):
    arguments = ["interpolate", *tunes, "-o", tmp_path / "o", *options]
    if "--model" not in options:
        arguments += ["--model", run_folder]
    assert message in run(*arguments, status=status)
    assert not (tmp_path / "o").exists()


def test_audio_comes_beside_each_midi_file(tunes, run_folder, tmp_path):
    out = tmp_path / "o"
    output = run("interpolate", *tunes, "-n", "2", "-o", out, "--model", run_folder, "--audio", "--ends", "original")
    assert "a WAV file of each" in output
    for path in (*written(out), out / "all.mid"):
        assert path.with_suffix(".wav").read_bytes().startswith(b"RIFF")
    assert "already holds" in run("sample", "-n", "1", "-o", out, "--model", run_folder, "--audio", status=1)


def test_the_other_tracks_of_a_play_on_and_the_lead_is_read_again(tunes, tmp_path):
    a = pretty_midi.PrettyMIDI(tunes[0])
    bass = pretty_midi.Instrument(33, name="bass")
    bass.notes = [pretty_midi.Note(80, 40, start / 2, start / 2 + 0.4) for start in range(20)]
    a.instruments.append(bass)
    a.write(str(tmp_path / "band.mid"))
    arguments = ["interpolate", tmp_path / "band.mid", tunes[1], "-n", "3", "--key", "none", "--scale", "none"]
    output = run(*arguments, "-o", tmp_path / "alone")
    assert "play on" not in output
    assert "A's accompaniment: 1 other track plays on" in run(
        *arguments, "-o", tmp_path / "band", "--keep-accompaniment"
    )
    vocabulary = Vocabulary()
    assert len(written(tmp_path / "band")) == 3
    for name in (*(path.name for path in written(tmp_path / "band")), "all.mid"):
        alone, over = (Melody.from_midi(tmp_path / folder / name) for folder in ("alone", "band"))
        assert np.array_equal(vocabulary.encode(alone), vocabulary.encode(over))
        assert len(pretty_midi.PrettyMIDI(str(tmp_path / "band" / name)).instruments) == 2
    assert "A's accompaniment: there are no other tracks in these bars" in run(
        *("interpolate", *tunes, "-n", "2", "-o", tmp_path / "none", "--keep-accompaniment")
    )


def test_a_missing_file_is_a_usage_error(tunes):
    output = run("interpolate", tunes[0], "nowhere.mid", status=2)
    assert "nowhere.mid' does not exist" in output


@pytest.mark.parametrize("kind", BAD_FILES)
@pytest.mark.parametrize("command", ["interpolate", "reconstruct"])
def test_a_bad_file_gets_a_sentence_with_its_name_and_writes_nothing(command, kind, tunes, run_folder, tmp_path):
    content, message = BAD_FILES[kind]
    bad = tmp_path / "bad.mid"
    bad.write_bytes(content)
    out = tmp_path / "out"
    output = run(command, tunes[0], bad, "-o", out, "--model", run_folder, status=1)
    (error,) = [line for line in output.splitlines() if line.startswith("Error: ")]
    assert "bad.mid" in error
    assert re.search(message, error)
    assert sorted(path.name for path in tmp_path.iterdir()) == ["bad.mid", "first.mid", "second.mid"]


def test_one_note_and_too_few_bars_are_padded_and_it_is_said(tunes, run_folder, tmp_path):
    Melody((MelodyNote(0, 4, 60),), 16).write(tmp_path / "one.mid")
    output = run("interpolate", tmp_path / "one.mid", tunes[0], "-o", tmp_path / "o", "--model", run_folder)
    assert "it has 1 bar, 2 are taken: padded with silence" in output
    assert len(written(tmp_path / "o")) >= 2


def test_an_unwritable_output_gets_a_sentence(tunes, run_folder, tmp_path):
    (tmp_path / "file").write_text("in the way")
    for out in (tmp_path / "file", tmp_path / "file" / "below"):
        output = run("interpolate", *tunes, "-o", out, "--model", run_folder, status=1)
        assert "Error: " in output
        assert str(tmp_path / "file") in output
    assert (tmp_path / "file").read_text() == "in the way"


def test_sample_writes_new_tunes_at_the_tempo_asked_for(run_folder, tmp_path):
    out = tmp_path / "out"
    run("sample", "-n", "3", "-o", out, "--model", run_folder, "--tempo", "90", "--seed", "0")
    melodies = [Melody.from_midi(path) for path in written(out)]
    assert len(melodies) == 3
    assert {(melody.bars, round(melody.quarters_per_minute)) for melody in melodies} == {(2, 90)}
    assert len({melody.notes for melody in melodies}) == 3
    assert (out / "all.mid").is_file()


def test_sample_writes_tunes_for_the_instrument_asked_for(run_folder, tmp_path):
    run("sample", "-n", "2", "--program", "73", "-o", tmp_path / "out", "--model", run_folder)
    assert [Melody.from_midi(path).program for path in written(tmp_path / "out")] == [73, 73]
    refused = run("sample", "-n", "2", "--program", "128", "--model", run_folder, status=2)
    assert "128 is not in the range 0<=x<=127" in refused


def test_sample_refuses_no_samples():
    assert "0 is not in the range 1<=x" in run("sample", "-n", "0", status=2)


def test_more_than_a_hundred_tunes_keep_their_order_by_name(run_folder, tmp_path):
    run("sample", "-n", "101", "-o", tmp_path / "out", "--model", run_folder)
    names = [path.name for path in written(tmp_path / "out")]
    assert len(names) == 101
    assert (names[0][:10], names[100][:10]) == ("001-of-101", "101-of-101")


def test_reconstruct_writes_each_file_at_its_own_length(tunes, run_folder, tmp_path):
    tune(7, bars=5).write(tmp_path / "five.mid")
    files = [*tunes, tmp_path / "five.mid"]
    output = run("reconstruct", *files, "-o", tmp_path / "o", "--model", run_folder, "--temperature", "1")
    assert Melody.from_midi(tmp_path / "o" / "five.mid").bars == 5
    assert "five.mid: " in output
    assert "of 80 sixteenths are right" in output


def test_sample_says_how_near_its_tunes_are_to_the_training_and_draws_near_copies_again(run_folder, tmp_path):
    arguments = ["--model", run_folder, "--temperature", "1", "--seed", "0"]
    output = run("sample", "-n", "3", "-o", tmp_path / "few", *arguments)
    assert re.search(r"training melody \(of 8, in any key\): 1: \d, 2: \d, 3: \d", output)
    output = run("sample", "-n", "40", "-o", tmp_path / "many", *arguments, "--novel")
    assert re.search(r"in any key\): \d+ with \d", output)
    assert "near-copies" not in output
    copy = tmp_path / "alone.safetensors"
    copy.write_bytes((run_folder / "model.safetensors").read_bytes())
    assert "is unknown: the model came without" in run("sample", "-n", "1", "-o", tmp_path / "o", "--model", copy)
    assert "came without novelty.npy" in run(
        *("sample", "-n", "1", "-o", tmp_path / "p", "--model", copy, "--novel"), status=1
    )


def test_reconstruct_refuses_two_files_of_one_name(tunes, tmp_path):
    (tmp_path / "sub").mkdir()
    other = tmp_path / "sub" / "first.mid"
    tune(3).write(other)
    assert "same name" in run("reconstruct", tunes[0], other, status=2)


def test_morph_writes_the_series_the_row_and_the_picture_and_says_what_changed(tunes, tmp_path):
    out = tmp_path / "denser"
    arguments = ["morph", tunes[0], "--density", "+1", "--range", "-1", "-n", "3", "-o", out]
    output = run(*arguments, "--candidates", "12")
    assert len(written(out)) == 3
    assert {"all.mid", "index.html", "piano-rolls.png"} < {path.name for path in out.iterdir()}
    assert "the tune is taken from bars 1 to 2" in output
    assert re.search(r"^density +\d+\.\d\d +\d+\.\d\d +\d+\.\d\d +\d+\.\d\d  onsets per bar$", output, re.M)
    assert re.search(r"^diatonic +\d\.\d\d +\d\.\d\d +as it is +\d\.\d\d  share of notes$", output, re.M)
    assert Melody.from_midi(out / "all.mid").bars == 6
    last = written(out)[2]
    before = last.read_bytes()
    assert "already holds all.mid" in run(*arguments, status=1)
    run(*arguments, "--candidates", "12", "--force")
    assert last.read_bytes() == before


def test_morph_names_its_folder_after_the_file(tunes, run_folder, tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    run("morph", tunes[1], "--scale", "C:minor", "--bar", "3", "-n", "2", "--model", run_folder)
    assert len(written(tmp_path / "second-morphed")) == 2


@pytest.mark.parametrize(
    ("options", "status", "message"),
    [
        ([], 2, "there is nothing to move; give an amount, such as density +1, or a scale"),
        (["--density", "0"], 2, "there is nothing to move"),
        (["--density", "6"], 2, "not in the range"),
        (["--density", "nan"], 2, "'nan' is not a finite number"),
        (["--density", "1", "-n", "1"], 2, "not in the range"),
        (["--density", "1", "--candidates", "0"], 2, "not in the range"),
        (["--density", "1", "--bar", "99"], 1, "there is no bar 99: the melody has bars 1 to 4"),
        (["--scale", "G:happy"], 2, "there is no scale 'G:happy'; choose one of major"),
        (["--scale", "X"], 2, "'X' is not a scale"),
    ],
)
def test_bad_morphs_get_a_sentence_and_write_nothing(tunes, run_folder, tmp_path, options, status, message):
    output = run("morph", tunes[0], *options, "-o", tmp_path / "o", "--model", run_folder, status=status)
    assert message in output
    assert not (tmp_path / "o").exists()


def test_morph_with_a_model_without_directions_says_what_to_do(tunes, run_folder, tmp_path):
    bare = MelodyModel.from_pretrained(run_folder)
    bare.extras = {}
    bare.save(tmp_path / "bare.safetensors")
    output = run("morph", tunes[0], "--density", "1", "--model", tmp_path / "bare.safetensors", status=1)
    assert "the model has no attribute directions, which `melodyvae train` fits at its end" in output


def test_the_tunes_to_listen_to_are_those_that_sample_writes(tmp_path):
    run("sample", "-n", "1", "--style", "jig", "--bars", "16", "--seed", "2", "-o", tmp_path / "o")
    shown = Path(__file__).parents[2] / "docs" / "listen" / "16-bars-melody-compose" / "2-jig.mid"
    assert Melody.from_midi(tmp_path / "o" / "all.mid").notes == Melody.from_midi(shown).notes


def test_results_are_not_written_where_a_file_is(run_folder, tmp_path):
    (tmp_path / "o").touch()
    assert "o is a file" in run("sample", "-n", "1", "-o", tmp_path / "o", "--model", run_folder, status=1)


def test_sample_keeps_to_a_scale(run_folder, tmp_path):
    run("sample", "-n", "4", "-o", tmp_path / "o", "--model", run_folder, "--scale", "Bb:major", "--seed", "0")
    notes = Melody.from_midi(tmp_path / "o" / "all.mid").notes
    assert notes
    assert {note.pitch % 12 for note in notes} <= {10, 0, 2, 3, 5, 7, 9}
    assert "no scale 'C:odd'" in run("sample", "-n", "1", "--model", run_folder, "--scale", "C:odd", status=2)


@pytest.mark.parametrize(
    ("command", "files", "option", "value", "message"),
    [
        *(
            (command, files, option, value, message)
            for command, files in (("interpolate", 2), ("grid", 4), ("arithmetic", 2))
            for option, value, message in (
                ("--scale", "H:major", "'H:major' is not a scale; give one such as G:major"),
                ("--key", "5", "key is '5'; choose one of glide, a, b and none, or a key such as C or Am"),
                ("--tempo", "fast", "tempo is 'fast'; choose one of glide, a and b, or a number"),
            )
        ),
        *((command, 1, "--scale", "H", "'H' is not a scale") for command in ("vary", "morph", "complete")),
        ("sample", 0, "--scale", "H", "'H' is not a scale"),
        ("sample", 0, "--key", "5", "'5' is not a key; give one such as G:major"),
        ("continue", 1, "--feel", "odd", "there is no feel 'odd'"),
        ("prep", 1, "--meter", "4/0", "meter is '4/0'; it must be such as 4/4"),
        ("prep", 1, "--key", "H", "key: 'H' is not a key; give one such as C"),
        ("prep", 1, "--speeds", "0", "speeds are (0,)"),
    ],
)
def test_a_value_that_an_option_never_has_is_a_usage_error(tunes, command, files, option, value, message):
    given = [str(tune) for tune in [*tunes, *tunes][:files]]
    if command == "arithmetic":
        given.insert(1, "+")
    assert message in run(command, *given, option, value, status=2)


def test_tunes_with_the_longest_names_there_are_get_folders_of_their_own(tunes, run_folder, tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    long = [tmp_path / f"{'x' * 250}{end}.mid" for end in "ab"]
    for source, path in zip(tunes, long, strict=False):
        path.write_bytes(Path(source).read_bytes())
    model = ("--model", run_folder)
    for path in long:
        run("vary", path, "-n", "1", *model)
    run("interpolate", *long, "-n", "2", *model)
    run("reconstruct", *long, "-o", "back", *model)
    assert len([path for path in tmp_path.iterdir() if path.is_dir()]) == 4
    assert [path.name for path in tmp_path.iterdir() if path.name.startswith(".")] == []
    assert {path.name for path in long} <= {path.name for path in (tmp_path / "back").iterdir()}


def test_inspect_explains_the_choice_of_track(tunes):
    output = run("inspect", tunes[0])
    assert "4 bars (0 short), meters 4/4" in output
    assert "tempo 100 quarters per minute" in output
    assert "<- the melody" in output


def test_a_close_call_between_tracks_is_said_with_the_option_that_takes_the_other(run_folder, tmp_path):
    song = pretty_midi.PrettyMIDI()
    for name in ("Flute", "Sax"):
        instrument = pretty_midi.Instrument(0, name=name)
        instrument.notes = [pretty_midi.Note(80, 60 + 7 * i % 12, i / 2, (i + 1) / 2) for i in range(16)]
        song.instruments.append(instrument)
    song.write(str(tmp_path / "two.mid"))
    path, model = tmp_path / "two.mid", ("--model", run_folder)
    said = run("vary", path, "-n", "1", "-o", tmp_path / "varied", *model)
    assert "two.mid: track 1 of 2 (Flute), a close call; next: track 2 (Sax), --track 2\n" in said
    assert "(Sax), --track 2\n" in run("score", path, *model)
    said = run("interpolate", path, path, "-n", "2", "-o", tmp_path / "walk", *model)
    assert "next: track 2 (Sax), --track-a 2\n" in said
    assert "next: track 2 (Sax), --track-b 2\n" in said
    assert "close call" not in run("vary", path, "--track", "2", "-n", "1", "-o", tmp_path / "asked", *model)


def test_inspect_and_interpolate_read_scores(tunes, run_folder, tmp_path):
    (tmp_path / "t.abc").write_text("X:1\nT:tune\nM:4/4\nL:1/4\nK:G\nGABc|dBGD|GABc|d2d2|\n")
    assert "4 bars (0 short), meters 4/4" in run("inspect", tmp_path / "t.abc")
    output = run("interpolate", tmp_path / "t.abc", tunes[0], "-n", "2", "-o", tmp_path / "o", "--model", run_folder)
    assert "A is t.abc: track 1 of 1" in output


def test_a_file_name_with_signs_of_mathematics_or_of_another_script_is_drawn_as_it_is(tunes, run_folder, tmp_path):
    odd = tmp_path / "$x^2$ \u6f22\u5b57.mid"
    odd.write_bytes(Path(tunes[0]).read_bytes())
    run("reconstruct", odd, "-o", tmp_path / "o", "--model", run_folder)
    assert (tmp_path / "o" / odd.name).is_file()


def test_inspect_says_what_is_in_a_dataset(dataset_folder):
    output = run("inspect", dataset_folder)
    assert "windows of 2 bars of 4/4, 32 steps, from 30 files" in output
    assert "notes per bar" in output


def test_inspect_says_what_is_in_a_checkpoint_in_a_screenful(run_folder):
    for target in (run_folder, "melody-2bar", "digits-20d"):
        output = run("inspect", target)
        assert len(output.splitlines()) <= 31
        for part in (
            " model of",
            f"revision {load_checkpoint(target).revision}, SHA-256 ",
            "latent_size",
            "made by: ",
            "held-out metrics",
            "_sha256",
        ):
            assert part in output
    assert "note_f1" in run("inspect", "melody-2bar")


def test_inspect_of_nothing_is_an_error():
    assert "no model 'nothing'" in run("inspect", "nothing", status=1)
    assert "nothing.mid: No such file" in run("inspect", "nothing.mid", status=1)


@pytest.mark.skipif(not hasattr(os, "mkfifo"), reason="the system has no named pipes")
def test_inspect_does_not_wait_for_a_pipe(tmp_path):
    os.mkfifo(tmp_path / "a.mid")
    assert "a.mid is not a regular file but a pipe or a device" in run("inspect", tmp_path / "a.mid", status=1)


def test_train_writes_model_state_metrics_and_curves_and_resumes(dataset_folder, tmp_path):
    out = tmp_path / "run"
    arguments = ["train", dataset_folder, "--preset", "tiny", "-o", out, "--evaluate-every", "10", "--threads", "1"]
    output = run(*arguments, "--steps", "20")
    assert sorted(path.name for path in out.iterdir()) == [
        "curves.png",
        "metrics.jsonl",
        "model.novelty.npy",
        "model.safetensors",
        "state.safetensors",
    ]
    assert "There are fewer windows" not in output
    assert "test: note F1" in output
    assert "already holds a training; add --resume" in run(*arguments, "--steps", "20", status=1)
    output = run(*arguments, "--steps", "30", "--resume")
    assert "Going on after update 20" in output
    updates = [json.loads(line)["update"] for line in (out / "metrics.jsonl").read_text().splitlines()]
    assert updates == [10, 20, 30]
    assert "seed" in load_checkpoint(out).provenance["training"]


def test_a_folder_of_twenty_tunes_trains_without_fuss(tmp_path, run_folder):
    for seed in range(20):
        tune(100 + seed, bars=2).write(tmp_path / f"{seed}.mid")
    prepare([tmp_path], tmp_path / "dataset", PrepOptions(), workers=1)
    output = run(
        *("train", tmp_path / "dataset", "--init-from", run_folder, "-o", tmp_path / "mine"),
        *("--steps", "3", "--batch-size", "64", "--threads", "1"),
    )
    assert "There are fewer windows than the 64 of a batch" in output
    assert "Consider --init-from melody-2bar." in output
    assert "fine_tuned_from" in load_checkpoint(tmp_path / "mine").provenance


def test_one_tune_trains_too_and_it_is_said_that_nothing_is_held_out(tmp_path):
    tune(1, bars=8).write(tmp_path / "only.mid")
    prepare([tmp_path], tmp_path / "dataset", PrepOptions(), workers=1)
    output = run("train", tmp_path / "dataset", "--preset", "tiny", "-o", tmp_path / "run", "--steps", "3")
    assert "No window is held out" in output
    assert (tmp_path / "run" / "model.safetensors").is_file()


def test_a_dataset_of_another_bar_length_is_refused(midi_folder, tmp_path):
    prepare([midi_folder], tmp_path / "four", PrepOptions(bars=4), workers=1)
    output = run("train", tmp_path / "four", "--preset", "tiny", "-o", tmp_path / "run", status=1)
    assert "its bars is 4, the model's is 2" in output
    assert not (tmp_path / "run").exists()


def test_a_new_model_takes_the_meter_of_its_dataset_and_the_bars_it_is_told(tmp_path):
    for seed in range(4):
        waltz = tune(seed, bars=12)
        Melody(waltz.notes, waltz.length_steps, meter=(3, 4)).write(tmp_path / f"{seed}.mid")
    prepare([tmp_path], tmp_path / "waltzes", PrepOptions(bars=4, meter="3/4"), workers=1)
    out = tmp_path / "run"
    options = ["--preset", "tiny", "--bars", "4", "-o", out, "--steps", "2", "--threads", "1", "--batch-size", "500"]
    output = run("train", tmp_path / "waltzes", *options)
    config = load_checkpoint(out).config
    assert (config["bars"], config["meter"]) == (4, [3, 4])
    assert "Consider --init-from melody-2bar." in output
    run("sample", "-n", "1", "--model", out, "-o", tmp_path / "samples", "--seed", "0")
    assert [Melody.from_midi(path).meter for path in written(tmp_path / "samples")] == [(3, 4)]


def test_a_run_is_resumed_with_its_own_settings_and_data_only(dataset_folder, midi_folder, tmp_path):
    out = tmp_path / "run"
    arguments = ["--preset", "tiny", "-o", out, "--threads", "1", "--steps", "4"]
    run("train", dataset_folder, *arguments)
    before = {path.name: path.read_bytes() for path in out.iterdir()}
    for change, told in (
        (["--beta", "0.7"], "beta was 0.2 and is 0.7"),
        (["--seed", "5"], "seed was 0 and is 5"),
        (["--batch-size", "8"], "batch_size was 32 and is 8"),
    ):
        output = run("train", dataset_folder, *arguments, *change, "--resume", status=1)
        assert "holds another training" in output
        assert told in output
    prepare([midi_folder / "tune-00.mid"], tmp_path / "other", PrepOptions(), workers=1)
    assert "dataset_sha256 is another" in run("train", tmp_path / "other", *arguments, "--resume", status=1)
    assert before == {path.name: path.read_bytes() for path in out.iterdir()}


def test_a_decoder_that_ignores_z_is_told_and_one_that_does_not_is_not(dataset_folder, tmp_path):
    arguments = ["train", dataset_folder, "--preset", "tiny", "--threads", "1", "--evaluate-every", "50"]
    options = ["--steps", "150", "--annealing", "constant"]
    output = run(*arguments, *options, "--beta", "30", "-o", tmp_path / "collapsed")
    assert re.search(r"At update \d+ the decoder begins to ignore z: z holds 0\.\d bits", output)
    assert "Try a lower beta than 30" in output
    assert output.count("begins to ignore z") == 1
    output = run(*arguments, *options, "--beta", "0.001", "-o", tmp_path / "used")
    assert "ignore z" not in output


def test_ctrl_c_saves_and_says_how_to_go_on(dataset_folder, tmp_path):
    out = tmp_path / "run"
    arguments = ["train", str(dataset_folder), "--preset", "tiny", "-o", str(out), "--threads", "1"]
    command = [sys.executable, "-m", "melodyvae", *arguments, "--steps", "1000000", "--evaluate-every", "20"]
    with start_child(command, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True, bufsize=1) as process:
        assert process.stdout is not None
        assert any("% update 20," in line for line in process.stdout)  # a log gets lines in place of the bar
        process.send_signal(signal.SIGINT)
        said, errors = process.communicate(timeout=120)
    assert (process.returncode, errors) == (130, "")
    assert f"Stopped and saved. To go on: melodyvae train {dataset_folder} -o {out} --resume" in said
    assert {"model.safetensors", "state.safetensors"} <= {path.name for path in out.iterdir()}
    done = read_tensors(out / "state.safetensors")[1]["update"]
    budget = ["--steps", str(done + 3), "--evaluate-every", "2"]
    output = run("train", dataset_folder, "-o", out, "--threads", "1", *budget, "--resume")  # the rest is remembered
    assert f"Going on after update {done} " in output
    other = ["train", dataset_folder, "-o", out, "--preset", "musicvae-small", *budget, "--resume"]
    assert "other sizes; leave its options out" in run(*other, status=1)


def test_a_training_that_learned_nothing_says_so(dataset_folder, tmp_path):
    output = run("train", dataset_folder, "--preset", "tiny", "-o", tmp_path / "run", "--steps", "1")
    assert "learned nothing yet: no note comes back, and 1 updates are too few (the learning rate rises" in output


@pytest.mark.parametrize(
    ("options", "status", "message"),
    [
        (["--init-from", "melody-2bar", "--bars", "4"], 1, "melody-2bar has its number of bars already"),
        (["--preset", "huge"], 2, "there is no preset 'huge'"),
        (["--learning-rate", "0"], 2, "learning_rate is 0.0"),
        (["--device", "tpu"], 2, "'tpu' is not a device; choose one of auto, cpu, cuda and mps"),
        (["--device", "cpu:foo"], 2, "'cpu:foo' is not a device"),
        (["--device", ""], 2, "'' is not a device"),
        (["--device", "cuda:99"], 1, "device 'cuda:99' is not available here"),
        (["--resume"], 1, "no training to resume"),
        (["--init-from", "nobody"], 1, "no model 'nobody'"),
    ],
)
def test_bad_training_options_get_a_sentence(dataset_folder, tmp_path, options, status, message):
    output = run("train", dataset_folder, "-o", tmp_path / "run", "--steps", "1", *options, status=status)
    assert message in output


def test_what_is_written_is_read_again_with_the_same_tokens(run_folder, tmp_path):
    out = tmp_path / "out"
    run("sample", "-n", "12", "-o", out, "--model", run_folder, "--seed", "0")
    vocabulary = Vocabulary()
    row = vocabulary.encode(Melody.from_midi(out / "all.mid"))
    singles = [vocabulary.encode(Melody.from_midi(path)) for path in written(out)]
    assert [len(tokens) for tokens in singles] == [32] * 12
    assert np.array_equal(np.concatenate(singles), row) or _differs_only_in_note_offs(np.concatenate(singles), row)


def _differs_only_in_note_offs(apart: np.ndarray, together: np.ndarray) -> bool:
    """Joined, a note that is held to the end of one tune is ended where the next begins with silence."""
    return all(together[step] == 1 and apart[step] == 0 for step in np.flatnonzero(apart != together))
