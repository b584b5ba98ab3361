"""Arranging as arithmetic: keys, chords, forms and melodies for any length, mood and seed."""

from __future__ import annotations

from itertools import pairwise

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from genlock.media.music.harmony import SCALES, Key, chord_on, closing_chord, progression, voicings
from genlock.media.music.mood import MOODS, MoodName
from genlock.media.music.score import Score, arrange, form, strokes
from genlock.media.music.timbre import BOWED, DRUMS, STRUCK

MOOD_NAMES = sorted(MOODS)


def piece(mood: MoodName = "calm", seconds: float = 36.0, tempo: float | None = None, seed: int = 0) -> Score:
    return arrange(MOODS[mood], seconds=seconds, tempo=tempo, offset=0.0, seed=seed)


def test_chords_have_the_names_that_musicians_give_them() -> None:
    c = Key(0, "major")
    assert [chord_on(c, degree).name for degree in range(7)] == ["C", "Dm", "Em", "F", "G", "Am", "Bdim"]
    assert [chord_on(c, degree, size=4).name for degree in (0, 1, 4)] == ["Cmaj7", "Dm7", "G7"]
    assert closing_chord(Key(9, "aeolian")).name == "Am"


@given(tonic=st.integers(0, 11), mode=st.sampled_from(sorted(SCALES)), degree=st.integers(0, 6))
def test_every_chord_belongs_to_its_key(tonic: int, mode: str, degree: int) -> None:
    key = Key(tonic, mode)
    assert set(chord_on(key, degree, size=5).classes) <= set(key.classes)


@pytest.mark.parametrize("mood", MOOD_NAMES)
def test_voices_move_little_and_stay_in_their_range(mood: MoodName) -> None:
    for seed in range(8):
        score = piece(mood, 90.0, seed=seed)
        led = voicings(score.chords)
        assert all(52 <= pitch <= 76 for shape in led for pitch in shape)
        moves = [sum(abs(a - b) for a, b in zip(*both, strict=False)) for both in pairwise(led)]
        assert sum(moves) / len(moves) <= 12  # four voices, three semitones each


def test_a_piece_comes_home_by_an_approach_to_its_tonic() -> None:
    for bars in (1, 2, 3, 7, 30):
        chords = progression(Key(0, "major"), (0, 5, 3, 4), bars=bars, size=3)
        assert len(chords) == bars
        if bars > 2:
            assert [chord.name for chord in chords[-2:]] == ["F", "G"]
    for mood in MOOD_NAMES:
        score = piece(mood)
        assert score.chords[-1].root == score.key.tonic != score.chords[-2].root


@given(bars=st.integers(0, 600))
def test_sections_fill_the_bars_without_gaps(bars: int) -> None:
    sections = form(bars)
    assert sum(section.bars for section in sections) == bars
    ends = [0, *(section.first + section.bars for section in sections)]
    assert [section.first for section in sections] == ends[:-1]
    assert all(section.bars >= 1 and section.energy in {1, 2, 3} for section in sections)


def test_a_long_piece_has_a_build_a_break_and_a_finale() -> None:
    assert [section.name for section in form(14)] == ["intro", "verse", "build", "main", "break", "finale"]


@given(
    mood=st.sampled_from(MOOD_NAMES),
    seconds=st.floats(0.05, 400),
    tempo=st.none() | st.floats(40, 200),
    seed=st.integers(0, 50),
)
@settings(max_examples=60, deadline=None)
def test_any_length_gets_a_piece_that_closes_before_the_film_ends(
    mood: MoodName, seconds: float, tempo: float | None, seed: int
) -> None:
    score = piece(mood, seconds, tempo, seed)
    assert 0 <= score.close < seconds
    ring = seconds - score.close
    assert ring >= min(2.4, 0.45 * seconds)
    assert ring <= max(2.4, 0.9 * score.bar, 0.5 * seconds) + score.bar + 0.01
    for note in score.notes:
        assert 0 <= note.start < seconds
        assert 0 < note.velocity <= 1
        assert note.length > 0
        assert abs(note.pan) <= 1
        assert note.instrument in {*STRUCK, *BOWED, *DRUMS}
        assert (note.pitch == 0) == (note.instrument in DRUMS)


@pytest.mark.parametrize("mood", MOOD_NAMES)
def test_strong_beats_of_the_tune_are_chord_tones_and_all_of_it_is_in_key(mood: MoodName) -> None:
    score = piece(mood, 60.0)
    leads = [note for note in score.notes if note.instrument in MOODS[mood].leads and note.pitch >= 67]
    assert leads
    assert {note.pitch % 12 for note in score.notes if note.pitch} <= set(score.key.classes)


def test_kicks_fall_on_the_grid_of_the_plan() -> None:
    score = piece("bold", 60.0, tempo=120.0)
    assert score.kicks
    assert all(abs(kick / 0.125 - round(kick / 0.125)) < 1e-6 for kick in score.kicks)


def test_an_offset_moves_the_whole_piece() -> None:
    moved = arrange(MOODS["bold"], seconds=60.0, tempo=120.0, offset=0.5, seed=0)
    assert min(note.start for note in moved.notes) >= 0.48
    assert (moved.kicks[0] - 0.5) % 0.5 == pytest.approx(0.0, abs=1e-6)


def test_seeds_and_moods_make_other_pieces_and_the_same_ones_the_same() -> None:
    assert piece(seed=3).notes == piece(seed=3).notes
    tunes = {
        (piece(mood, seed=seed).key.name, tuple(c.name for c in piece(mood, seed=seed).chords))
        for mood in MOOD_NAMES
        for seed in range(6)
    }
    assert len(tunes) > 16


def test_patterns_are_whole_bars_and_say_how_long_to_hold() -> None:
    for mood in MOODS.values():
        layers = (mood.keys_pattern, mood.arp_pattern, mood.bass_pattern, *mood.drums.values())
        assert all(len(pattern) == 16 for layer in layers for pattern in (*layer, *mood.melody_rhythms))
        assert set(mood.drums) <= set(DRUMS)
        assert {mood.keys, mood.arp, mood.pad, mood.bass, *mood.leads} <= {*STRUCK, *BOWED}
    assert list(strokes("c--.2-..........")) == [(0, "c", 3), (4, "2", 2)]
