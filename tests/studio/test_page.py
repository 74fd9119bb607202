"""Actions of a person on the page, in a real browser; each numbered line of the studio's promise has a test."""

import base64
import re
import struct
import threading
import time
import zipfile
from contextlib import contextmanager
from itertools import pairwise
from pathlib import Path

import numpy as np
import pretty_midi
import pytest

from melodyvae.music.melody import Melody
from melodyvae.music.tokens import folded
from melodyvae.network.checkpoint import shipped_names
from melodyvae.studio.engine import Engine
from tests.cli.test_cli import BAD_FILES
from tests.conftest import tune
from tests.studio.conftest import MILLISECONDS, TUNES

sync_api = pytest.importorskip("playwright.sync_api", reason="playwright is not installed")
expect = sync_api.expect

DROP = """
([names, contents]) => {
  const carried = new DataTransfer();
  names.forEach((name, index) => {
    const bytes = Uint8Array.from(atob(contents[index]), (letter) => letter.charCodeAt(0));
    carried.items.add(new File([bytes], name));
  });
  for (const type of ["dragenter", "dragover", "drop"]) {
    document.querySelector(".stage").dispatchEvent(
      new DragEvent(type, { dataTransfer: carried, bubbles: true, cancelable: true }));
  }
}
"""
MIDI_STUB = """
window.sent = [];
const port = { id: "p1", name: "stub synthesiser", send: (data, at) => window.sent.push([Array.from(data), at ?? 0]) };
navigator.requestMIDIAccess = async () => ({ outputs: new Map([["p1", port]]) });
// The port's clock is the audio clock, so that what is sent does not depend on how busy this machine is.
AudioContext.prototype.getOutputTimestamp = () => ({ contextTime: 0, performanceTime: 1000 });
"""
HISTORY = "() => import('/static/js/app.js').then(({ player }) => player.history)"  # what was scheduled
SCHEDULED = """(steps) => import('/static/js/app.js').then(({ player }) => player.history.length >= steps)"""
LAST_TIME = "() => import('/static/js/app.js').then(({ player }) => player.history.at(-1)?.time ?? -1)"
LATER = "(time) => import('/static/js/app.js').then(({ player }) => (player.history.at(-1)?.time ?? -1) > time)"
LANE_NOTES = """() => import('/static/js/app.js').then(
    ({ visibleLanes }) => visibleLanes().flatMap((lane) => lane.melody.notes))"""
DASH = "\N{EN DASH}"
HALF_A_SECOND = 0.5  # a page that gets no processor for longer goes on from there


def drop(page, files):
    contents = [base64.b64encode(data).decode() for data in files.values()]
    page.evaluate(DROP, [list(files), contents])


def saved(page, act, path):
    """The bytes of what an act downloads."""
    with page.expect_download() as found:
        act()
    found.value.save_as(path)
    return path


def until(page, script, argument=None):
    """What a script gives, as soon as that is true; `wait_for_function` takes the promise of false for true."""
    end = time.monotonic() + MILLISECONDS / 1000
    while not (found := page.evaluate(script, argument)):
        assert time.monotonic() < end, script
        page.wait_for_timeout(30)
    return found


def sentences(page, *, bad=False, count=1):
    """What the page has said so far, once there are so many sentences; those that are no longer there, too."""
    script = """([bad, count]) => {
        const found = window.said.filter(([isBad]) => isBad === bad).map(([, sentence]) => sentence);
        return found.length >= count && found;
    }"""
    return until(page, script, [bad, count])


def expect_said(page, text, *, bad=False):
    """Wait until the page says a sentence with a text in it."""
    until(page, "([bad, text]) => window.said.some(([isBad, one]) => isBad === bad && one.includes(text))", [bad, text])


def cards(page):
    return page.locator(".card")


def lanes(page):
    return page.locator("#walk-lanes .lane")


def melody_on(page, selector):
    """The notes of a lane, as the page has them."""
    script = """(selector) => import('/static/js/app.js').then(({ visibleLanes }) =>
        visibleLanes().find((lane) => lane.node.matches(selector) || lane.node.closest(selector)).melody)"""
    return page.evaluate(script, selector)


def selected_notes(page):
    return page.evaluate("() => import('/static/js/store.js').then(({ selected }) => selected().melody.notes)")


def two_tracks(tmp_path):
    lead, bass = tune(1, bars=8, name="lead"), tune(2, bars=8, name="bass")
    midi = lead.to_pretty_midi()
    midi.instruments.append(bass.to_pretty_midi().instruments[0])
    midi.write(str(tmp_path / "two.mid"))
    return tmp_path / "two.mid", lead, bass


# 1 Tunes


def test_a_dropped_file_shows_what_was_taken_and_why_and_another_track_and_bar_can_be_taken(page, tmp_path):
    path, _, bass = two_tracks(tmp_path)
    drop(page, {"two.mid": path.read_bytes()})
    card = page.locator('.card[data-tune^="two"]')
    expect(card).to_contain_text(f"track 1 of 2, bars 1{DASH}2 of 8")
    card.get_by_role("button", name="Track and bars").click()
    sheet = page.locator("#piece-sheet")
    expect(sheet).to_contain_text("The likeliest melody of 2 tracks")
    sheet.get_by_role("radio").nth(1).check()
    expect(sheet).to_contain_text("Track 2 of 2 (bass)")
    sheet.get_by_role("slider").focus()
    for bar in (2, 3):
        page.keyboard.press("ArrowRight")
        expect(sheet).to_contain_text(f"Bars {bar} to {bar + 1} of 8")
    sheet.get_by_role("button", name="Listen").click()
    expect(page.get_by_role("button", name="Stop", exact=True)).to_be_attached()
    sheet.get_by_role("button", name="Take these bars").click()
    expect(card).to_contain_text(f"track 2 of 2, bars 3{DASH}4 of 8")
    wanted = folded(bass.window(2, 2))
    assert [note[:3] for note in selected_notes(page)] == [list(note[:3]) for note in wanted.notes]


def test_wrong_files_get_the_sentence_of_the_command_line_and_good_ones_beside_them_are_taken(page, open_page):
    files = {f"{name.replace(' ', '-')}.mid": data for name, (data, _) in BAD_FILES.items() if len(data) < 10**6}
    assert len(files) >= 8
    drop(page, files | {"tune.abc": b"X:1\nM:4/4\nL:1/4\nK:G\nGABc|dedB|c2A2|G4|\n"})
    expect(page.locator('.card[data-tune^="tune"]')).to_have_count(1)  # the last one
    said = sentences(page, bad=True, count=len(files))
    assert len(said) == len(files)
    for name, (data, sentence) in BAD_FILES.items():
        if len(data) < 10**6:
            (told,) = (one for one in said if f"{name.replace(' ', '-')}.mid" in one)
            assert re.search(sentence, told)
    expect(cards(page)).to_have_count(3)
    # Browsers log every answer that is an error.
    open_page.faults[:] = [fault for fault in open_page.faults if "status of 422" not in fault]


def test_the_examples_are_a_click_away(page):
    while page.locator(".card").count():
        cards(page).first.get_by_role("button", name="Remove").click()
    page.get_by_role("button", name="Play with the examples").click()
    expect(cards(page)).to_have_count(4)
    expect(lanes(page)).to_have_count(8)
    assert page.locator("#walk-a").evaluate("(select) => select.selectedOptions[0].text").startswith("twinkle")


def test_a_waltz_keeps_its_meter(page):
    drop(page, {"waltz.abc": b"X:1\nM:3/4\nL:1/4\nK:G\nGBd|g2d|edc|B2G|\n"})
    expect(page.locator('.card[data-tune^="waltz"]')).to_contain_text(f"3/4, bars 1{DASH}2 of 4")
    first = page.locator('#walk-a option:has-text("waltz")').get_attribute("value")
    page.locator("#walk-a").select_option(first)
    expect(page.locator("#walk-said")).to_contain_text("in 4/4: bars of 3/4 are laid over it, beat on beat")
    assert melody_on(page, "#walk-lanes .lane:nth-child(2)")["length_steps"] == 24
    page.locator("#tab-draw").click()
    expect(page.locator("#bar-heads button")).to_have_count(2)
    expect(page.locator("#draw-said")).to_contain_text("The model hears")


# 2 Walk


def test_the_walk_goes_from_one_tune_to_the_other_and_is_heard_kept_and_downloaded(page, tmp_path, twinkle, ode):
    expect(lanes(page)).to_have_count(8)
    expect(page.locator("#walk-said")).to_contain_text(f"{twinkle.name} comes back exactly")
    page.locator("#walk-count").fill("5")
    expect(lanes(page)).to_have_count(5)
    lanes(page).nth(2).locator(".lane-play").click()
    expect(lanes(page).nth(2)).to_have_class(re.compile("playing"))
    until(page, SCHEDULED, 4)
    assert {entry["index"] for entry in page.evaluate(HISTORY)} == {2}
    page.keyboard.press("k")
    expect(cards(page)).to_have_count(3)
    page.get_by_role("button", name="Play all").click()
    expect(lanes(page).nth(0)).to_have_class(re.compile("playing"))
    page.locator("#walk-options summary").click()
    page.locator("#walk-key").select_option("glide")
    page.locator("#walk-options summary").click()
    page.locator("#walk-bars").select_option("4")
    expect(page.locator("#shell-line")).to_have_text(
        f"melodyvae interpolate twinkle.mid ode-to-joy.mid -n 5 --bar-a {twinkle.first_bar} --bar-b {ode.first_bar} "
        "--bars 4 --key glide"
    )
    path = saved(page, page.locator("#walk-save").click, tmp_path / "walk.mid")
    walked = Melody.from_midi(path)
    assert walked.bars == 5 * 4
    assert walked.window(0, 4).notes == Melody.from_midi(TUNES / "twinkle.mid").window(twinkle.first_bar - 1, 4).notes


def test_the_other_tracks_of_the_first_tune_play_under_the_walk_and_are_in_its_file(page, tmp_path):
    path, *_ = two_tracks(tmp_path)
    drop(page, {"two.mid": path.read_bytes()})
    expect(cards(page)).to_have_count(3)
    expect(page.locator("#walk-band")).to_be_hidden()
    first = page.locator('#walk-a option:has-text("two")').get_attribute("value")
    page.locator("#walk-a").select_option(first)
    page.locator("#walk-options summary").click()
    page.locator("#walk-band").check()
    page.locator("#walk-options summary").click()
    expect(page.locator("#walk-said")).to_contain_text("A's accompaniment: 1 other track plays on")
    expect(page.locator("#shell-line")).to_contain_text("--keep-accompaniment")
    lanes(page).nth(3).locator(".lane-play").click()
    under = "() => import('/static/js/app.js').then(({ player }) => player.live?.backing.length ?? 0)"
    until(page, under)
    walk = pretty_midi.PrettyMIDI(str(saved(page, page.locator("#walk-save").click, tmp_path / "walk.mid")))
    assert [part.name for part in walk.instruments] == ["melody", "bass"]
    page.keyboard.press("k")
    expect(cards(page)).to_have_count(4)
    page.locator("#out-menu summary").click()
    archive = zipfile.ZipFile(saved(page, page.locator("#save-zip").click, tmp_path / "all.zip"))
    archive.extractall(tmp_path / "all")
    kept = pretty_midi.PrettyMIDI(str(next((tmp_path / "all").glob("two*to*.mid"))))
    assert [part.name for part in kept.instruments] == ["melody", "bass"]


def test_tunes_of_sixteen_bars_are_written_and_walked_between(page):
    page.locator("#tab-fresh").click()
    page.locator("#fresh-bars").select_option("16")
    page.locator("#sample").click()
    tiles = page.locator("#fresh-tiles .lane")
    expect(tiles).to_have_count(8)
    expect(page.locator("#shell-line")).to_have_text("melodyvae sample --bars 16 --seed 1")
    for number in range(2):
        tiles.nth(number).hover()
        tiles.nth(number).get_by_role("button", name="Keep").click()
    expect(cards(page)).to_have_count(4)
    page.locator("#tab-walk").click()
    page.locator("#walk-count").fill("3")
    page.locator("#walk-bars").select_option("16")
    for end, place in (("a", 2), ("b", 3)):
        page.locator(f"#walk-{end}").select_option(index=place)
    expect(page.locator("#shell-line")).to_have_text("melodyvae interpolate 'new 1-1.mid' 'new 1-2.mid' -n 3 --bars 16")
    expect(lanes(page)).to_have_count(3)
    expect(page.locator("#walk-said")).to_contain_text("new 1-1 comes back exactly")
    assert melody_on(page, "#walk-lanes .lane:nth-child(2)")["length_steps"] == 16 * 16


# 3 Pad


def test_the_pad_follows_the_point_in_time_without_a_gap_and_its_path_is_a_midi_file(page, tmp_path, ode):
    page.locator("#tab-pad").click()
    expect(page.locator("#pad-said")).to_contain_text("different tunes between the four")
    page.get_by_role("button", name="Record the path").click()
    box = page.locator("#pad").bounding_box()
    page.mouse.move(box["x"] + 12, box["y"] + 12)
    page.mouse.down()
    for share in np.linspace(0, 1, 12):
        time_before = page.evaluate(LAST_TIME)
        page.mouse.move(box["x"] + 12 + share * (box["width"] - 24), box["y"] + 12)
        until(page, LATER, time_before)
    page.mouse.up()
    until(page, SCHEDULED, 12)
    history = page.evaluate(HISTORY)
    gaps = [following["time"] - entry["time"] - entry["duration"] for entry, following in pairwise(history)]
    assert len(gaps) >= 11
    assert all(abs(gap) < 1e-6 or gap > HALF_A_SECOND for gap in gaps)
    here = melody_on(page, "#pad-lane .lane")
    assert [note[:3] for note in here["notes"]] == ode.notes
    page.get_by_role("button", name="Stop recording").click()
    path = saved(page, page.get_by_role("button", name="Path as MIDI").click, tmp_path / "path.mid")
    recorded = Melody.from_midi(path)
    assert recorded.notes
    assert recorded.bars >= 1


def test_the_point_moves_by_the_keys(page, twinkle):
    page.locator("#tab-pad").click()
    expect(page.locator("#pad-said")).to_contain_text("different tunes")
    page.locator("#pad").focus()
    for key in ["ArrowLeft"] * 8 + ["ArrowUp"] * 8:
        page.keyboard.press(key)
    expect(page.locator("#pad")).to_have_attribute("aria-label", re.compile("0 percent across, 0 percent down"))
    assert [note[:3] for note in melody_on(page, "#pad-lane .lane")["notes"]] == twinkle.notes


# 4 Shape, vary, complete, sample, score


def test_a_slider_moves_the_character_and_a_scale_keeps_it_in_key(page):
    page.locator("#tab-shape").click()
    slider = page.get_by_role("slider", name="notes: more or less")
    slider.fill("2")
    page.locator("#shape-tonic").select_option("G")
    expect(page.locator("#shape-said")).to_contain_text("before and after")
    expect(page.locator("#shell-line")).to_contain_text("--density 2 --scale G:major")
    before, after = (melody_on(page, f"#shape-{end} .lane")["notes"] for end in ("before", "after"))
    assert len(after) > len(before)
    assert {note[2] % 12 for note in after} <= {7, 9, 11, 0, 2, 4, 6}
    page.get_by_role("button", name="Reset").click()
    expect(slider).to_have_value("0")


def test_eight_like_this_are_eight_different_tunes(page):
    page.locator("#tab-shape").click()
    page.get_by_role("button", name="Eight like this").click()
    tiles = page.locator("#vary-tiles .lane")
    expect(tiles).to_have_count(8)
    names = set(tiles.locator(".lane-play").evaluate_all("(all) => all.map((one) => one.getAttribute('aria-label'))"))
    assert all("of 32 sixteenths differ" in name for name in names)
    tiles.first.hover()
    tiles.first.get_by_role("button", name="Keep").click()
    expect(cards(page)).to_have_count(3)


@contextmanager
def busy_model(studio):
    """The studio while its model is at other work, so that whatever it is asked meanwhile waits."""
    done = threading.Event()
    job = studio.engine.submit("the test", "the test", lambda model: done.wait())
    try:
        yield
    finally:
        done.set()
        job.future.result()


def test_a_hidden_bar_is_written_anew_with_progress_and_can_be_cancelled(page, ode, studio):
    page.locator("#tab-draw").click()
    page.get_by_role("button", name="Bar 2: hide it").click()
    write = page.get_by_role("button", name="Write the hidden bars")
    expect(page.locator("#draw-said")).to_contain_text("The model hears")  # nothing else is at work
    with busy_model(studio):
        write.click()
        page.locator("#work-cancel").click()
        expect(page.locator("#work")).to_be_hidden()
    assert page.locator("#complete-tiles .lane").count() == 0
    write.click()
    tiles = page.locator("#complete-tiles .lane")
    expect(tiles).to_have_count(2)
    own, written = selected_notes(page), melody_on(page, "#complete-tiles .lane")["notes"]
    assert [note for note in written if note[1] <= 16] == [note for note in own if note[1] <= 16]
    expect(page.locator("#shell-line")).to_contain_text(f"complete '{ode.name}.mid' --hide 2 -n 2")


def test_new_tunes_come_in_a_key_with_as_many_notes_as_wanted(page):
    page.locator("#tab-fresh").click()
    page.locator("#fresh-tonic").select_option("D")
    page.locator("#fresh-scale").select_option("pentatonic")
    page.locator("#sample").click()
    tiles = page.locator("#fresh-tiles .lane")
    expect(tiles).to_have_count(8)
    expect(page.locator("#shell-line")).to_have_text("melodyvae sample --bars 8 --scale D:pentatonic --seed 1")
    notes = page.evaluate(LANE_NOTES)
    assert {note[2] % 12 for note in notes} <= {2, 4, 6, 9, 11}
    counts = []
    for density in ("2", "12"):
        page.locator("#fresh-density").fill(density)
        page.locator("#sample").click()
        expect(page.locator("#shell-line")).to_contain_text(f"--density {density}")
        counts.append(len(page.evaluate(LANE_NOTES)))
    assert counts[1] > 2 * counts[0]


def test_new_tunes_come_in_a_style_and_a_form(page):
    page.locator("#tab-fresh").click()
    page.locator("#fresh-style").select_option("jig")
    page.locator("#fresh-form").select_option("AABA")
    page.locator("#sample").click()
    expect(page.locator("#shell-line")).to_have_text("melodyvae sample --bars 8 --style jig --form AABA --seed 1")
    expect(page.locator("#fresh-tiles .lane").first).to_have_text(re.compile(r"\bjig A[A-D']+ \d+ notes"))


# 5 Draw


def place(page, step, pitch):
    """Where a step and a pitch are on the screen."""
    script = """([step, pitch]) => import('/static/js/draw.js').then(({ placeOf }) => placeOf(step, pitch))"""
    return page.evaluate(script, [step, pitch])


def test_notes_are_added_moved_and_removed_the_model_follows_and_all_can_be_undone(page):
    page.locator("#tab-draw").click()
    before = selected_notes(page)
    page.mouse.click(*place(page, 1, 72))
    expect(page.locator("#draw-said")).to_contain_text("The model hears")
    added = selected_notes(page)
    assert [1, 3, 72, 80] in added
    page.mouse.move(*place(page, 1.4, 72))
    page.mouse.down()
    page.mouse.move(*place(page, 2, 70), steps=2)
    page.mouse.move(*place(page, 5.4, 69), steps=3)
    page.mouse.up()
    assert [5, 7, 69, 80] in selected_notes(page)
    page.mouse.click(*place(page, 5.4, 69))
    assert [5, 7, 69, 80] not in selected_notes(page)
    page.keyboard.press("Control+z")
    assert [5, 7, 69, 80] in selected_notes(page)
    page.keyboard.press("Control+z")
    assert selected_notes(page) == added
    page.keyboard.press("Control+z")
    assert selected_notes(page) == before
    page.keyboard.press("Control+Shift+z")
    assert selected_notes(page) == added


def test_the_roll_stays_where_it_is_when_the_model_answers(page, studio):
    with busy_model(studio):
        page.locator("#tab-draw").click()
        expect(page.locator("#shell-line")).to_have_text("")
        place_before = page.locator("#editor").bounding_box()
    expect(page.locator("#draw-said")).to_contain_text("The model hears")
    expect(page.locator("#shell-line")).to_contain_text("melodyvae reconstruct")
    assert page.locator("#editor").bounding_box() == place_before


def test_a_blank_tune_shows_nothing_of_the_one_before(page, studio):
    page.locator("#tab-draw").click()
    expect(page.locator("#draw-said")).to_contain_text("The model hears")
    with busy_model(studio):
        page.mouse.click(*place(page, 1, 72))
        expect(page.locator("#work")).to_contain_text("Listening")  # it waits for the model
        page.get_by_role("button", name="Blank tune").click()
    expect(page.locator("#work")).to_be_hidden()
    expect(page.locator("#draw-said")).to_have_text("Click in the roll to write.")


def test_a_tune_is_drawn_by_the_keys_alone(page):
    page.locator("#tab-draw").click()
    page.get_by_role("button", name="Blank tune").click()
    page.locator("#editor").focus()
    for key in ["Enter", "ArrowRight", "ArrowRight", "ArrowUp", "ArrowUp", "Enter", "Shift+ArrowUp"]:
        page.keyboard.press(key)
    assert selected_notes(page) == [[0, 2, 60, 80], [2, 4, 63, 80]]
    page.keyboard.press("Delete")
    assert selected_notes(page) == [[0, 2, 60, 80]]


def test_a_wrong_note_is_painted_as_doubtful(page):
    page.locator("#tab-draw").click()
    page.get_by_role("button", name="Blank tune").click()
    for step, pitch in enumerate([60, 60, 73, 67, 69, 69, 67]):
        page.mouse.click(*place(page, 4 * step, pitch))
    page.get_by_role("button", name="Doubtful notes").click()
    expect(page.locator("#draw-said")).to_contain_text("Doubtful: bar 1: C sharp 5, rather")


def test_notes_without_doubt_keep_their_colour(page):
    page.locator("#tab-draw").click()
    page.get_by_role("button", name="Doubtful notes").click()
    expect(page.locator("#draw-said")).to_contain_text("No doubtful note")
    notes = selected_notes(page)
    script = """([x, y]) => {
        const canvas = document.querySelector("#editor canvas");
        const box = canvas.getBoundingClientRect();
        const ratio = canvas.width / box.width;
        return [...canvas.getContext("2d").getImageData((x - box.left) * ratio, (y - box.top) * ratio, 1, 1).data];
    }"""
    colours = {tuple(page.evaluate(script, place(page, (start + end) / 2, pitch))) for start, end, pitch, _ in notes}
    assert len(notes) >= 5
    colour = page.evaluate("() => getComputedStyle(document.documentElement).getPropertyValue('--tune-1').trim()")
    assert colours == {(*bytes.fromhex(colour[1:]), 255)}


# 6 Sound


def rendered(page, source, notes=((0, 8, 57), (8, 16, 69)), metronome=False):
    script = """async ([source, notes, metronome]) => {
        const { render } = await import('/static/js/player.js');
        const { SoundFont } = await import('/static/js/soundfont.js');
        const api = await import('/static/js/api.js');
        const soundfont = source === 'soundfont' ? new SoundFont(await api.soundfont()) : null;
        const melody = { notes, length_steps: 16, steps_per_quarter: 4, meter: [4, 4], quarters_per_minute: 120 };
        const { samples, rate } = await render([melody], { soundfont, program: 0, metronome });
        return [Array.from(samples), rate];
    }"""
    samples, rate = page.evaluate(script, [source, [list(note) for note in notes], metronome])
    return np.array(samples), rate


@pytest.mark.parametrize("source", ["soundfont", "synthesiser"])
def test_what_sounds_has_the_pitches_of_the_tune_at_their_times(page, source):
    samples, rate = rendered(page, source)
    for start, hertz in ((0.15, 220.0), (1.15, 440.0)):
        part = samples[int(start * rate) : int((start + 0.6) * rate)]
        spectrum = np.abs(np.fft.rfft(part * np.hanning(len(part)), 1 << 16))
        frequencies = np.fft.rfftfreq(1 << 16, 1 / rate)
        peaks = [frequencies[np.argmax(np.where(abs(frequencies - n * hertz) < 12, spectrum, 0))] for n in (1, 2)]
        assert peaks[0] == pytest.approx(hertz, rel=0.01)
        near = spectrum[abs(frequencies - hertz) < 6].max()
        between = spectrum[(frequencies > 1.3 * hertz) & (frequencies < 1.7 * hertz)].max()
        assert near > 4 * between
    assert 0.02 < np.abs(samples).max() <= 1.0


def test_silence_is_silent_and_a_soundfont_of_ones_own_is_taken_or_refused_with_a_sentence(page):
    samples, _ = rendered(page, "synthesiser", notes=[])
    assert np.abs(samples).max() < 1e-6
    clicks, _ = rendered(page, "synthesiser", notes=[], metronome=True)
    assert np.abs(clicks).max() > 0.01
    drop(page, {"broken.sf2": b"RIFF" + struct.pack("<I", 4) + b"WAVE"})
    expect_said(page, "this is no SoundFont 2 file", bad=True)


def test_a_soundfont_of_ones_own_is_what_sounds(page):
    path = Path(pretty_midi.__file__).parent / "TimGM6mb.sf2"
    expect(lanes(page)).to_have_count(8)  # the space key plays them
    drop(page, {"mine.sf2": path.read_bytes()})
    expect_said(page, "mine.sf2 is what sounds now")
    page.keyboard.press("Space")
    expect(page.get_by_role("button", name="Stop", exact=True)).to_be_visible()
    script = """() => import('/static/js/app.js').then(({ player }) =>
        [player.live.voice.constructor.name, player.live.voice.presets.size])"""
    assert page.evaluate(script) == ["SoundFont", 136]
    assert page.evaluate("() => import('/static/js/store.js').then(({ doc }) => doc.sound.source)") == "own"


def test_tempo_loop_metronome_volume_and_instrument_are_at_hand(page, twinkle, ode):
    expect(lanes(page)).to_have_count(8)
    page.locator("#tempo").fill("300")
    page.locator("#tempo").press("Enter")
    page.locator("#instrument").select_option(label="Flute")
    page.get_by_role("button", name="Metronome").click()
    page.locator("#volume").fill("0.4")
    lanes(page).nth(1).locator(".lane-play").click()
    expect(page.locator("#now-name")).to_have_text(f"{twinkle.name} to {ode.name} 2")
    assert {entry["duration"] for entry in page.evaluate(HISTORY)} == {60 / (300 * 4)}
    volume = "() => import('/static/js/app.js').then(({ player }) => player.live.volume.gain.value)"
    assert page.evaluate(volume) == pytest.approx(0.4)
    page.get_by_role("button", name="Loop").click()
    expect(page.locator("#play")).to_have_attribute("aria-label", "Play")  # it ends, since it does not loop any more
    sound = page.evaluate("() => import('/static/js/store.js').then(({ doc }) => doc.sound)")
    assert sound == sound | {"loop": False, "tempo": 300, "instrument": 73, "metronome": True, "volume": 0.4}


# 7 Out


def test_a_tune_all_tunes_and_the_session_are_downloaded_and_a_session_is_opened_again(
    page, tmp_path, open_page, twinkle, ode
):
    expect(lanes(page)).to_have_count(8)
    lanes(page).nth(7).hover()
    path = saved(page, lanes(page).nth(7).get_by_role("button", name="Download").click, tmp_path / "one.mid")
    assert [list(note[:3]) for note in Melody.from_midi(path).notes] == ode.notes
    page.locator("#out-menu summary").click()
    path = saved(page, page.locator("#save-zip").click, tmp_path / "all.zip")
    assert zipfile.ZipFile(path).namelist() == [f"{twinkle.name}.mid", f"{ode.name}.mid", "all.mid"]
    page.locator("#out-menu summary").click()
    session = saved(page, page.locator("#save-session").click, tmp_path / "session.json")
    other = open_page()
    for _ in range(2):
        cards(other).first.get_by_role("button", name="Remove").click()
    drop(other, {"session.json": session.read_bytes()})
    expect(cards(other)).to_have_count(2)
    drop(other, {"session.json": b'{"format": "other"}', "odd.json": b"{"})
    assert len(sentences(other, bad=True, count=2)) == 2


def test_a_tune_is_dragged_out_as_a_midi_file(page, tmp_path, twinkle):
    expect(lanes(page)).to_have_count(8)
    lanes(page).nth(0).hover()
    script = """() => {
        const carried = new DataTransfer();
        const drag = new DragEvent('dragstart', { dataTransfer: carried, bubbles: true });
        document.querySelector('#walk-lanes .lane').dispatchEvent(drag);
        return carried.getData('DownloadURL');
    }"""
    kind, name, address = until(page, script).split(":", 2)
    assert (kind, name) == ("audio/midi", f"{twinkle.name}.mid")
    (tmp_path / "out.mid").write_bytes(base64.b64decode(address.split(",")[1]))
    assert Melody.from_midi(tmp_path / "out.mid").notes == twinkle.melody.notes


def test_notes_go_to_a_midi_port_in_time(open_page, twinkle):
    page = open_page(script=MIDI_STUB)
    expect(lanes(page)).to_have_count(8)
    page.locator("#out-menu summary").click()
    page.locator("#connect-midi").click()
    expect(page.locator("#midi-port")).to_have_value("p1")
    page.locator("#tempo").fill("240")
    page.locator("#tempo").press("Enter")
    lanes(page).nth(0).locator(".lane-play").click()
    notes = twinkle.melody.notes
    assert len(notes) >= 5
    until(page, "(count) => window.sent.filter(([data]) => data[0] === 0x90).length >= count", len(notes))
    sent = page.evaluate("() => window.sent")
    on = [(data[1], at) for data, at in sent if data[0] == 0x90]
    assert [pitch for pitch, _ in on[: len(notes)]] == [note.pitch for note in notes][: len(on)]
    late = [
        following - at - 62.5 * (second.start_step - first.start_step)
        for (first, second), (_, at), (_, following) in zip(pairwise(notes), on, on[1:], strict=False)
    ]
    assert len(late) == len(notes) - 1
    assert all(abs(gap) < 0.01 or gap > 1000 * HALF_A_SECOND for gap in late)
    assert on[0][1] > 1000  # the time of the note on the port's clock, which begins at 1000
    off = [data[1] for data, _ in sent if data[0] == 0x80]
    assert off[:3] == [note.pitch for note in notes[:3]]


def test_the_shell_command_is_copied(open_page, twinkle, ode):
    page = open_page(permissions=["clipboard-read", "clipboard-write"])
    expect(page.locator("#shell-line")).to_have_text(
        f"melodyvae interpolate twinkle.mid ode-to-joy.mid --bar-a {twinkle.first_bar} --bar-b {ode.first_bar}"
    )
    page.get_by_role("button", name="Copy the shell command").click()
    expect_said(page, "copied")
    assert page.evaluate("() => navigator.clipboard.readText()").startswith("melodyvae interpolate twinkle.mid")


# 8 Keys, touch, widths, reload, notebook


def test_keys_play_step_and_choose(page):
    expect(lanes(page)).to_have_count(8)
    page.keyboard.press("k")  # nothing plays yet, so nothing is kept
    page.keyboard.press("ArrowDown")
    page.keyboard.press("ArrowDown")
    expect(page.locator("#walk-lanes .lane.playing .lane-label")).to_have_text("2")
    page.keyboard.press("Escape")
    expect(page.get_by_role("button", name="Play", exact=True)).to_be_visible()
    page.evaluate("() => document.activeElement.blur()")
    page.keyboard.press("Space")
    expect(page.get_by_role("button", name="Stop", exact=True)).to_be_visible()
    page.keyboard.press("Space")
    expect(page.get_by_role("button", name="Play", exact=True)).to_be_visible()
    expect(cards(page)).to_have_count(2)
    for number, mode in enumerate(["walk", "pad", "shape", "draw", "fresh"], start=1):
        page.keyboard.press(str(number))
        expect(page.locator(f"#panel-{mode}")).to_be_visible()
    page.keyboard.press("Shift+?")
    expect(page.locator("#help-sheet")).to_be_visible()


def test_a_reload_brings_the_session_back(page):
    page.locator("#tab-draw").click()
    page.mouse.click(*place(page, 1, 72))
    name = page.locator(".card-name").nth(1)
    name.fill("my joy")
    name.press("Enter")
    notes = selected_notes(page)
    page.evaluate("() => import('/static/js/store.js').then(({ save }) => save())")
    page.reload()
    page.wait_for_selector("html[data-ready]")
    expect(cards(page)).to_have_count(2)
    expect(page.locator(".card-name").nth(1)).to_have_value("my joy")
    expect(page.locator("#panel-draw")).to_be_visible()
    assert selected_notes(page) == notes


@pytest.mark.parametrize("name", [name for name in shipped_names() if name.startswith("melody")])
def test_a_session_comes_back_with_every_model(open_page, studio, monkeypatch, name):
    engine = Engine(name)
    monkeypatch.setattr(studio, "engine", engine)
    try:
        page = open_page()
        expect(cards(page)).to_have_count(2)
        quick = "() => import('/static/js/store.js').then(({ set }) => set((now) => Object.assign(now.walk, %s)))"
        page.evaluate(quick % "{ ends: 'model', spacing: 'latent', count: 3 }")
        expect(lanes(page)).to_have_count(3)
        kept = [melody_on(page, f"#walk-lanes .lane:nth-child({place})") for place in (1, 3)]
        page.locator("#tab-draw").click()
        page.mouse.click(*place(page, 1, 72))
        notes = selected_notes(page)
        page.evaluate("() => import('/static/js/store.js').then(({ save }) => save())")
        page.reload()
        page.wait_for_selector("html[data-ready]")
        expect(cards(page)).to_have_count(2)
        assert selected_notes(page) == notes
        page.keyboard.press("Control+z")  # a reload begins a new history
        assert selected_notes(page) == notes
        page.locator("#tab-walk").click()
        expect(lanes(page)).to_have_count(3)
        assert melody_on(page, "#walk-lanes .lane:nth-child(1)") == kept[0]
    finally:
        engine.close()


def test_a_phone_has_all_of_it_within_its_width_and_the_pad_follows_a_finger(open_page):
    page = open_page(390, 844, has_touch=True, is_mobile=True)
    expect(lanes(page)).to_have_count(8)
    for mode in ("walk", "pad", "shape", "draw", "fresh"):
        page.locator(f"#tab-{mode}").tap()
        expect(page.locator(f"#panel-{mode}")).to_be_visible()
        assert page.evaluate("() => document.documentElement.scrollWidth <= innerWidth"), mode
    page.locator("#tab-pad").tap()
    expect(page.locator("#pad-said")).to_contain_text("different tunes")
    box = page.locator("#pad").bounding_box()
    page.touchscreen.tap(box["x"] + box["width"] - 12, box["y"] + 12)
    expect(page.locator("#pad")).to_have_attribute("aria-label", re.compile("100 percent across, 0 percent"))
    expect(page.get_by_role("button", name="Stop", exact=True)).to_be_visible()


def with_axe(page):
    pytest.importorskip("axe_playwright_python", reason="axe-playwright-python is not installed")
    from axe_playwright_python.base import AXE_FILE_PATH

    page.evaluate(AXE_FILE_PATH.read_text(encoding="utf-8"))
    return page


def violations(page, part="document"):
    """What axe finds: the rule and the element."""
    found = page.evaluate(f"() => axe.run({part}, {{ resultTypes: ['violations'] }})")
    return [f"{one['id']}: {node['html'][:120]}" for one in found["violations"] for node in one["nodes"]]


@pytest.mark.parametrize(("width", "theme"), [(1280, "dark"), (820, "light"), (390, "dark")])
def test_axe_finds_nothing(open_page, width, theme):
    page = with_axe(open_page(width, 900, theme))
    expect(lanes(page)).to_have_count(8)
    for mode in ("walk", "pad", "shape", "draw", "fresh"):
        page.locator(f"#tab-{mode}").click()
        said = {"pad": "different tunes", "draw": "The model hears"}.get(mode)
        if said:
            expect(page.locator(f"#{mode}-said")).to_contain_text(said)
        assert violations(page) == [], mode
    page.keyboard.press("Shift+?")
    assert violations(page, "'#help-sheet'") == []


def test_axe_finds_nothing_in_the_options_and_the_progress(open_page, studio):
    page = with_axe(open_page(820, 900, "light"))
    expect(lanes(page)).to_have_count(8)
    with busy_model(studio):
        page.locator("#walk-options summary").click()
        page.locator("#walk-key").select_option("glide")
        expect(page.locator("#work")).to_be_visible()
        assert violations(page) == []


def test_the_colours_can_be_changed(page):
    root = page.locator("html")
    expect(root).to_have_attribute("data-theme", "dark")
    page.locator("#tab-fresh").click()
    page.locator("#sample").click()
    expect(page.locator("#fresh-tiles .lane")).to_have_count(8)
    page.get_by_role("button", name="Change the colours").click()
    expect(root).to_have_attribute("data-theme", "light")
    light = page.evaluate("() => getComputedStyle(document.documentElement).getPropertyValue('--tune-0').trim()")
    for coloured in ("#fresh-tiles .lane >> nth=0", ".card >> nth=0", "#walk-a", "#corner-0"):
        own = "(node) => node.style.getPropertyValue('--colour')"
        assert page.locator(coloured).evaluate(own) == light, coloured


def test_a_page_whose_server_is_gone_says_so(page, open_page):
    page.route("**/api/**", lambda route: route.abort())
    page.locator("#tab-fresh").click()
    page.locator("#sample").click()
    expect_said(page, "does not answer", bad=True)
    open_page.faults[:] = [fault for fault in open_page.faults if "ERR_FAILED" not in fault]  # those that it made


def test_a_visitor_without_the_token_sees_no_page(browser, studio):
    page = browser.new_page()
    answer = page.goto(f"http://127.0.0.1:{studio.port}/")
    assert answer.status == 403
    assert "melodyvae studio" in page.content()
    page.close()
