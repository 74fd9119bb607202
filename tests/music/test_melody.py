"""The contract of ``Melody``, clause by clause, and the way from notes to melodies and back."""

from __future__ import annotations

import itertools
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st
from matplotlib.figure import Figure

from melodyvae.music.melody import Melody, MelodyNote
from melodyvae.music.regions import find_regions, melody_of
from melodyvae.music.tokens import Vocabulary, folded
from melodyvae.music.voice import NoNotesError
from melodyvae.reading.melodies import read_melody
from tests.music.strategies import METERS, melodies
from tests.reading.smf import END_OF_TRACK, QUARTER, part, smf, song, time_signature, tune

NOTE = MelodyNote(4, 8, 60)


class TestContract:
    """Numbers are those of the clauses in the docstring of ``Melody``."""

    def test_1_notes_in_order_without_overlap(self) -> None:
        touching = Melody((NOTE, MelodyNote(8, 12, 60)), 16)
        assert len(touching.notes) == 2
        for second in (MelodyNote(7, 12, 62), MelodyNote(0, 2, 62)):
            with pytest.raises(ValueError, match=r"does not fit: .* could start at 8 at the earliest"):
                Melody((NOTE, second), 16)

    def test_2_a_step_at_least_and_inside(self) -> None:
        for note in (MelodyNote(4, 4, 60), MelodyNote(-1, 4, 60), MelodyNote(15, 17, 60)):
            with pytest.raises(ValueError, match=r"does not fit: .* lie within 0\.\.16"):
                Melody((note,), 16)

    @pytest.mark.parametrize(("pitch", "velocity"), [(-1, 80), (128, 80), (60, 0), (60, 128)])
    def test_3_midi_pitches_and_velocities(self, pitch: int, velocity: int) -> None:
        with pytest.raises(ValueError, match=r"pitch outside 0\.\.127 or a velocity outside 1\.\.127"):
            Melody((MelodyNote(0, 1, pitch, velocity),), 16)

    def test_4_a_bar_is_a_whole_number_of_steps(self) -> None:
        assert [Melody((), 0, meter=meter).steps_per_bar for meter in ((4, 4), (3, 4), (6, 8))] == [16, 12, 12]
        assert Melody((), 0, steps_per_quarter=12, meter=(5, 8)).steps_per_bar == 30
        with pytest.raises(ValueError, match=r"a bar of 1/32 is not a whole number of steps"):
            Melody((), 0, meter=(1, 32))

    def test_5_silence_at_the_end_counts_and_survives_a_file(self, tmp_path: Path) -> None:
        melody = Melody((NOTE,), 48)
        assert melody.bars == 3
        melody.write(tmp_path / "song.mid")
        assert Melody.from_midi(tmp_path / "song.mid").length_steps == 48

    def test_6_tempo_program_and_meter_are_kept(self, tmp_path: Path) -> None:
        melody = Melody((NOTE,), 24, meter=(3, 4), quarters_per_minute=96, program=73, name="flute")
        melody.write(tmp_path / "song.mid")
        assert Melody.from_midi(tmp_path / "song.mid") == melody
        for wrong in (
            {"quarters_per_minute": 0.0},
            {"quarters_per_minute": 3.5},
            {"steps_per_quarter": 0},
            {"length_steps": -1},
        ):
            with pytest.raises(ValueError, match=f"{next(iter(wrong))} is"):
                Melody(**({"notes": (), "length_steps": 16} | wrong))  # type: ignore[arg-type]

    def test_7_start_quarters_does_not_move_what_is_written(self, tmp_path: Path) -> None:
        late = Melody((NOTE,), 32).window(1, 1)
        assert late.start_quarters == 4.0
        Melody((NOTE,), 16, start_quarters=40.0).write(tmp_path / "song.mid")
        assert Melody.from_midi(tmp_path / "song.mid") == Melody((NOTE,), 16)

    @given(melodies())
    def test_8_written_and_read_it_is_equal(self, melody: Melody) -> None:
        if not melody.notes:
            with pytest.raises(NoNotesError, match="there is no note in it"):
                Melody.from_pretty_midi(melody.to_pretty_midi())
            return
        again = Melody.from_pretty_midi(melody.to_pretty_midi())
        assert again.quarters_per_minute == pytest.approx(melody.quarters_per_minute, rel=1e-5)
        for field in ("notes", "length_steps", "steps_per_quarter", "meter", "program", "name"):
            assert getattr(again, field) == getattr(melody, field)


def test_a_window_cuts_at_both_ends_and_pads() -> None:
    melody = Melody((MelodyNote(12, 20, 60), MelodyNote(28, 32, 62)), 32)
    assert melody.window(1, 1).notes == (MelodyNote(0, 4, 60), MelodyNote(12, 16, 62))
    assert melody.window(0, 1).notes == (MelodyNote(12, 16, 60),)
    assert melody.window(2, 2) == Melody((), 32, start_quarters=8.0)
    assert melody.pad_to(5).length_steps == 80


def test_windows_are_counted_by_whole_bars_and_stride() -> None:
    melody = Melody((), 5 * 16 + 3)
    assert [first for first, _ in melody.windows(2)] == [0, 1, 2, 3]
    assert [first for first, _ in melody.windows(2, stride_bars=2)] == [0, 2]
    assert list(Melody((), 31).windows(2)) == []


@given(melodies(), st.integers(-12, 12))
def test_transposing_there_and_back(melody: Melody, semitones: int) -> None:
    assert melody.transpose(semitones).transpose(-semitones) == melody


@given(melodies())
def test_windows_in_a_row_join_to_the_melody_but_for_the_cuts(melody: Melody) -> None:
    vocabulary = Vocabulary()
    joined = Melody.join([window for _, window in melody.windows(1)])
    assert joined.length_steps == melody.length_steps
    sounding = [{step for note in m.notes for step in range(note.start_step, note.end_step)} for m in (joined, melody)]
    assert sounding[0] == sounding[1]
    assert {note.start_step for note in melody.notes} <= {note.start_step for note in joined.notes}
    assert len(vocabulary.encode(joined)) == len(vocabulary.encode(melody))


def test_joining_nothing_or_other_bars_is_refused() -> None:
    with pytest.raises(ValueError, match="no melody to join"):
        Melody.join([])
    with pytest.raises(ValueError, match="different bars or grids"):
        Melody.join([Melody((), 16), Melody((), 12, meter=(3, 4))])


def test_folding_moves_by_octaves_only_what_lies_outside() -> None:
    melody = Melody(tuple(MelodyNote(i, i + 1, pitch) for i, pitch in enumerate((0, 20, 21, 108, 109, 127))), 16)
    assert [note.pitch for note in folded(melody).notes] == [24, 32, 21, 108, 97, 103]


@given(melodies())
def test_notes_to_melody_to_notes_on_the_grid(melody: Melody) -> None:
    """Notes that lie on the grid without overlap come through unchanged."""
    per = melody.steps_per_quarter
    piece = song(
        part([(note.start_step / per, note.end_step / per, note.pitch) for note in melody.notes]),
        meters=[(0.0, *melody.meter)],
        end=melody.length_steps / per,
    )
    regions = find_regions(piece, 0, per)
    assert len(regions) == (1 if melody.notes else 0)
    if melody.notes:
        assert [note[:3] for note in regions[0].melody.notes] == [note[:3] for note in melody.notes]
        assert regions[0].melody.length_steps == melody.length_steps
        assert regions[0].off_grid_steps == frozenset()


class TestBars:
    """Whole bars make regions; short ones (pickups, bars that a signature cuts) belong to none."""

    def test_without_a_signature_it_is_4_4(self) -> None:
        regions = find_regions(song(part([(0, 5, 60)])), 0)
        assert [(region.first_bar, region.melody.meter, region.melody.bars) for region in regions] == [(0, (4, 4), 2)]

    def test_a_pickup_written_as_a_short_bar(self) -> None:
        piece = song(part([(0, 1, 60), (1, 5, 62)]), meters=[(0, 1, 4), (1, 4, 4)])
        (region,) = find_regions(piece, 0, meter=(4, 4))
        assert (region.first_bar, region.melody.start_quarters) == (1, 1.0)
        assert region.melody.notes == (MelodyNote(0, 16, 62),)

    def test_a_change_of_meter_makes_two_regions(self) -> None:
        piece = song(part([(0, 8, 60), (8, 14, 62)]), meters=[(0, 4, 4), (8, 3, 4)])
        regions = find_regions(piece, 0)
        assert [(r.first_bar, r.melody.meter, r.melody.bars) for r in regions] == [(0, (4, 4), 2), (2, (3, 4), 2)]
        assert len(find_regions(piece, 0, meter=(3, 4))) == 1

    def test_a_signature_repeated_on_a_bar_line_changes_nothing(self) -> None:
        piece = song(part([(0, 12, 60)]), meters=[(0, 4, 4), (4, 4, 4)])
        assert [(r.first_bar, r.melody.bars) for r in find_regions(piece, 0)] == [(0, 3)]

    def test_a_signature_repeated_in_mid_bar_starts_a_bar_there(self) -> None:
        piece = song(part([(0, 14, 60)]), meters=[(0, 4, 4), (6, 4, 4)])
        regions = find_regions(piece, 0)
        assert [(r.first_bar, r.melody.start_quarters, r.melody.bars) for r in regions] == [(0, 0.0, 1), (2, 6.0, 2)]

    def test_2_2_counts_as_4_4(self) -> None:
        piece = song(part([(0, 8, 60)]), meters=[(0, 2, 2), (4, 4, 4)])
        assert [r.melody.bars for r in find_regions(piece, 0, meter=(2, 2))] == [2]

    def test_a_first_signature_after_the_start_leaves_4_4_before_it(self) -> None:
        piece = song(part([(0, 10, 60)]), meters=[(4, 3, 4)])
        assert [r.melody.meter for r in find_regions(piece, 0)] == [(4, 4), (3, 4)]


def test_onsets_off_the_grid_are_moved_to_it_and_told() -> None:
    piece = song(part([(0, 0.5, 60), (2 / 3, 1, 62), (1.05, 2, 64)]))
    (region,) = find_regions(piece, 0)
    assert [note.start_step for note in region.melody.notes] == [0, 3, 4]
    assert region.off_grid_steps == {3}
    assert find_regions(piece, 0, steps_per_quarter=12)[0].off_grid_steps == {13}


@given(
    st.lists(st.tuples(st.integers(0, 90), st.integers(1, 12), st.integers(40, 80)), min_size=1, max_size=40),
    st.lists(st.sampled_from([(4, 4), (4, 4), (3, 4), (2, 4), (1, 4), (2, 2)]), min_size=1, max_size=8),
)
def test_training_and_generation_cut_the_same_windows(
    notes: list[tuple[int, int, int]], meters: list[tuple[int, int]]
) -> None:
    """A window of a region is the window of the whole melody at the same bar of the piece.

    Where more than one note sounds across a region's start, its first notes may differ: there the highest of them
    begins anew, and within a melody the latest sounds on. So a note of one voice is cut here before the next.
    """
    starts = sorted({start for start, _, _ in notes})
    ends = {start: following for start, following in itertools.pairwise(starts)}
    line = [(s / 4, min(s + n, ends.get(s, 200)) / 4, p) for s, n, p in {note[0]: note for note in notes}.values()]
    begins = itertools.accumulate((4 * n / d for n, d in meters), initial=0.0)
    piece = song(part(line), meters=[(start, *meter) for start, meter in zip(begins, meters, strict=False)], end=40.0)
    whole = melody_of(piece, 0, (4, 4))
    for region in find_regions(piece, 0, meter=(4, 4)):
        bar = whole.layout.grid_bar(region.first_bar + 1)
        assert whole.window(bar, region.melody.bars).notes == region.melody.notes


class TestReadMelody:
    def test_a_pickup_is_a_bar_with_silence_before_it(self, tmp_path: Path) -> None:
        path = tmp_path / "song.mid"
        notes = f"00 90 3c 50 {QUARTER} 80 3c 00"
        path.write_bytes(smf(f"00 {time_signature(1, 4)} {notes} 00 {time_signature(4, 4)} {notes * 5} {END_OF_TRACK}"))
        read = read_melody(path)
        assert read.description == "track 1 of 1, 1 of its 3 bars is not of 4/4 and made up to it with silence"
        assert [note.start_step for note in read.melody.notes] == [12, 16, 20, 24, 28, 32]
        assert read.melody.bars == 3
        assert [read.layout.piece_bar(bar) for bar in range(3)] == [1, 2, 3]

    def test_a_piece_with_another_bar_in_it_is_read_whole(self, tmp_path: Path) -> None:
        """Ten bars of 4/4, one of 2/4, twelve of 4/4: the bars keep their numbers and their bar lines."""
        path = tmp_path / "song.mid"
        note = f"00 90 3c 50 {QUARTER} 80 3c 00"
        change = f"00 {time_signature(2, 4)} {note * 2} 00 {time_signature(4, 4)}"
        path.write_bytes(smf(f"00 {time_signature(4, 4)} {note * 40} {change} {note * 48} {END_OF_TRACK}"))
        read = read_melody(path)
        assert read.melody.bars == 23
        assert len(read.melody.notes) == 90
        assert [n.start_step for n in read.melody.notes if n.start_step // 16 == 10] == [160, 164]
        assert [n.start_step for n in read.melody.notes if n.start_step // 16 == 19] == [304, 308, 312, 316]
        assert [read.layout.grid_bar(bar) for bar in (1, 11, 12, 23)] == [0, 10, 11, 22]

    def test_a_window_has_the_tempo_and_the_place_of_its_own_bar(self, tmp_path: Path) -> None:
        path = tmp_path / "song.mid"
        note = f"00 90 3c 50 {QUARTER} 80 3c 00"
        faster = "ff 51 03 05 16 15"  # 180 quarters per minute
        path.write_bytes(smf(f"{note * 8} 00 {faster} {note * 8} {END_OF_TRACK}"))
        read = read_melody(path)
        tempi = [read.window(bar, 2).quarters_per_minute for bar in range(4)]
        assert tempi == pytest.approx([120, 120, 180, 180], abs=0.01)
        assert [read.window(bar, 2).start_quarters for bar in range(4)] == [0, 4, 8, 12]

    def test_bars_of_another_meter_are_laid_over_what_has_none(self, tmp_path: Path) -> None:
        path = tmp_path / "waltz.mid"
        path.write_bytes(tune([60, 62, 64] * 3, meter=(3, 4)))
        read = read_melody(path, meter=(4, 4))
        assert read.melody.meter == (4, 4)
        assert read.melody.length_steps == 48
        assert "in 3/4: bars of 4/4 are laid over it" in read.description

    def test_nothing_to_read_is_said_with_the_file(self, tmp_path: Path) -> None:
        path = tmp_path / "none.mid"
        path.write_bytes(smf(END_OF_TRACK))
        with pytest.raises(NoNotesError, match=r"none\.mid: there is no note in it"):
            read_melody(path)
        path.write_bytes(smf(f"00 {time_signature(4, 4)} 00 90 3c 50 {QUARTER} 80 3c 00 00 {time_signature(3, 4)}"))
        assert read_melody(path).melody.bars == 1  # one note in a bar that a signature cuts


def test_meters_of_the_strategies_have_whole_bars() -> None:
    assert len(METERS) == 4
    assert all(Melody((), 0, meter=meter).steps_per_bar > 0 for meter in METERS)


def test_a_melody_says_what_it_is_in_a_line():
    melody = Melody((MelodyNote(0, 4, 60), MelodyNote(4, 8, 73)), 32, name="lead", quarters_per_minute=97.5)
    assert repr(melody) == "<Melody 'lead': 2 bars of 4/4, 2 notes C4 to C#5, 97.5 quarters per minute>"
    assert repr(Melody((), 16)) == "<Melody 1 bar of 4/4, 0 notes, 120 quarters per minute>"


def test_melodies_are_added_and_have_a_length():
    melody = Melody((MelodyNote(0, 4, 60), MelodyNote(4, 8, 73)), 32)
    assert len(melody) == 2
    assert melody + melody == Melody.join([melody, melody])
    assert Melody((), 16), "a melody without notes is one"
    with pytest.raises(TypeError):
        _ = melody + 1


def test_a_melody_is_plotted_into_axes_of_its_own_or_of_somebody():
    figure = Figure()
    axes = figure.subplots()
    melody = Melody((MelodyNote(0, 4, 60), MelodyNote(4, 8, 73)), 32)
    assert melody.plot(axes) is axes
    assert len(axes.collections[-1].get_paths()) == 2
    assert axes.get_xlim() == (0, 32)
