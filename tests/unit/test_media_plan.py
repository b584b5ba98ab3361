"""The film plan: whole frames that add up, cuts on beats, and clips that can be redone alone."""

import hashlib
from itertools import pairwise

import pytest
from hypothesis import given
from hypothesis import strategies as st
from pydantic import ValidationError

from genlock.errors import BadInput, CheckFailed
from genlock.media.film.layer import Layer, Morph
from genlock.media.film.motion import Picture, View, cover, fits, view_at
from genlock.media.film.plan import FilmPlan, Shot, plan_shots, retake
from genlock.media.film.segment import Segment, body, check_frames, segments, transition
from genlock.media.film.style import Style


def picture(number: int, width: int = 3840, height: int = 2160) -> Picture:
    return Picture(sha256=hashlib.sha256(str(number).encode()).hexdigest(), width=width, height=height)


def pairs(count: int) -> list[tuple[Picture, Picture]]:
    return [(picture(2 * number), picture(2 * number + 1)) for number in range(count)]


def chain(count: int) -> list[tuple[Picture, Picture]]:
    return [(picture(number), picture(number + 1)) for number in range(count)]


plans = st.builds(
    lambda make, count, **options: plan_shots(make(count), **options),
    st.sampled_from([pairs, chain]),
    st.integers(1, 8),
    seconds_per_clip=st.floats(1.0, 20.0),
    fps=st.sampled_from([24, 25, 30, 60]),
    size=st.sampled_from([(1920, 1080), (1080, 1920), (1080, 1080)]),
    seed=st.integers(0, 2**31),
    tempo=st.none() | st.floats(60, 160),
    transition=st.sampled_from(["auto", "dissolve", "cut"]),
    style=st.builds(Style, name=st.just("any"), pace=st.floats(0.5, 2.0)),
)


@given(plans)
def test_segments_of_any_plan_add_up_to_its_frames(plan: FilmPlan) -> None:
    pieces = segments(plan)
    assert sum(piece.frames for piece in pieces) == plan.total_frames
    assert [piece.kind for piece in pieces if piece.kind == "body"] == ["body"] * len(plan.shots)


@given(plans)
def test_every_frame_shows_pictures_from_inside(plan: FilmPlan) -> None:
    for piece in segments(plan):
        for number in range(piece.frames):
            for layer in seen(piece, number):
                share = (number - layer.move_start) / layer.move_frames
                assert 0 <= share < 1
                if number in (0, piece.frames - 1) and isinstance(layer, Layer):
                    assert fits(view_at(layer.move, share), layer.picture, piece.size)


def seen(piece: Segment, number: int) -> list[Layer | Morph]:
    """The layers that are neither hidden by a higher one nor not there yet."""
    top = piece.layers[-1]
    share = top.entry.share(number) if top.entry else 1.0
    return [top] if share == 1 else piece.layers if share else piece.layers[:-1]


@given(plans)
def test_transitions_last_from_0_3_to_0_6_seconds(plan: FilmPlan) -> None:
    for joint in plan.transitions:
        if joint.kind == "dissolve":
            assert 0.3 - 1e-9 <= joint.frames / plan.fps <= 0.6 + 1e-9
        else:
            assert joint.frames == 0


@given(plans)
def test_a_plan_survives_json_unchanged(plan: FilmPlan) -> None:
    assert FilmPlan.model_validate_json(plan.model_dump_json()) == plan


def test_ten_clips_of_six_seconds_without_a_tempo_are_as_long_as_asked() -> None:
    plan = plan_shots(pairs(10))
    assert {shot.frames for shot in plan.shots} == {180}
    assert plan.total_frames == 10 * 180 - 9 * 14
    assert plan.duration == pytest.approx(plan.total_frames / 30)


@pytest.mark.parametrize("tempo", [60, 84, 97.3, 120, 143])
@pytest.mark.parametrize("seconds", [2.5, 6.0, 8.2])
def test_cuts_fall_on_beats_and_no_clip_is_longer_than_asked(tempo: float, seconds: float) -> None:
    plan = plan_shots(pairs(6), tempo=tempo, seconds_per_clip=seconds)
    assert plan.tempo is not None
    beat = 60 / plan.tempo * plan.fps
    for cut in [*plan.cuts, plan.total_frames]:
        assert abs(cut / beat - round(cut / beat)) * beat <= 0.51
    assert max(shot.frames for shot in plan.shots) <= round(seconds * 30)
    assert abs(plan.tempo / tempo - 1) <= 0.08


def test_clips_hardly_longer_than_a_beat_keep_their_length() -> None:
    for tempo in (60, 160):
        plan = plan_shots(pairs(3), tempo=tempo, seconds_per_clip=1.0)
        assert [shot.frames for shot in plan.shots] == [25, 30, 25]
        assert plan.tempo == tempo


def test_a_tempo_near_the_wished_one_puts_cuts_on_bars() -> None:
    plan = plan_shots(pairs(6), tempo=84)
    bar = 4 * 60 / (plan.tempo or 0) * plan.fps
    assert all(abs(cut / bar - round(cut / bar)) < 0.01 for cut in plan.cuts)


def test_the_same_arguments_make_the_same_plan_and_another_seed_another_one() -> None:
    assert plan_shots(pairs(4), seed=3) == plan_shots(pairs(4), seed=3)
    assert plan_shots(pairs(4), seed=3).shots != plan_shots(pairs(4), seed=4).shots


def test_neighbouring_clips_move_differently() -> None:
    shots = plan_shots(pairs(12), seed=5).shots
    shapes = [
        (round(shot.first_move.end.zoom / shot.first_move.start.zoom, 3), shot.first_move.start.x)
        for shot in shots
    ]
    assert all(left != right for left, right in pairwise(shapes))


def test_another_take_changes_the_moves_of_its_clip_and_nothing_else() -> None:
    plan = plan_shots(pairs(4), seed=9)
    shot = plan.shots[1]
    again = retake(shot, 1)
    assert again.first_move != shot.first_move
    assert again.last_move != shot.last_move
    same = {"first_move": shot.first_move, "last_move": shot.last_move, "take": 0}
    assert again.model_copy(update=same) == shot
    assert retake(again, 0) == shot


def test_a_redone_clip_renames_one_body_and_two_transitions() -> None:
    plan = plan_shots(pairs(5), seed=9)
    shots = [retake(shot, 1) if shot.index == 2 else shot for shot in plan.shots]
    redone = FilmPlan(**{**dict(plan), "shots": shots})
    names = [piece.name for piece in segments(plan)]
    again = [piece.name for piece in segments(redone)]
    changed = [number for number, (old, new) in enumerate(zip(names, again, strict=True)) if old != new]
    assert changed == [3, 4, 5]
    assert len(set(names)) == len(names)


def test_motion_runs_on_through_a_transition() -> None:
    plan = plan_shots(pairs(2))
    before, after = plan.shots
    joint = plan.transitions[0]
    first, shared, second = segments(plan)

    def view(layer: Layer | Morph, number: int) -> object:
        assert isinstance(layer, Layer)
        return view_at(layer.move, (number - layer.move_start) / layer.move_frames)

    assert view(first.layers[-1], first.frames) == view(shared.layers[0], 0)
    assert view(shared.layers[1], joint.frames) == view(second.layers[0], 0)
    assert shared == transition(before, after, joint)
    assert second == body(after)


def test_clips_that_meet_on_one_picture_go_on_without_a_transition() -> None:
    plan = plan_shots(chain(3))
    assert [joint.kind for joint in plan.transitions] == ["continue", "continue"]
    assert plan.total_frames == 3 * 180
    for left, right in pairwise(plan.shots):
        assert left.last_move.end == right.first_move.start
        assert retake(left, 2).last_move.end == right.first_move.start


def test_a_clip_of_one_picture_is_one_move() -> None:
    plan = plan_shots([(picture(1), picture(1))] * 2)
    assert [shot.blend_frames for shot in plan.shots] == [0, 0]
    assert [joint.kind for joint in plan.transitions] == ["dissolve"]
    assert all(len(piece.sources) == 1 for piece in segments(plan))


def test_portrait_pictures_fill_a_landscape_frame_around_their_focus() -> None:
    tall = Picture(sha256="b" * 64, width=2000, height=3000, focus=(0.5, 0.3))
    for seed in range(20):
        shot = plan_shots([(tall, picture(1))], seed=seed).shots[0]
        for share in (0.0, 0.5, 1.0):
            view = view_at(shot.first_move, share)
            assert abs(view.y - 0.3) < 0.8 * cover(tall, shot.size)[1] / view.zoom / 2


def test_no_pairs_and_too_short_clips_are_refused_in_words() -> None:
    with pytest.raises(BadInput, match="at least one pair"):
        plan_shots([])
    with pytest.raises(BadInput, match=r"clips of 0\.3 s are too short"):
        plan_shots(pairs(2), seconds_per_clip=0.3)


def test_a_plan_whose_clips_disagree_about_shared_frames_is_refused() -> None:
    plan = plan_shots(pairs(3))
    with pytest.raises(ValidationError, match="disagree about the frames they share"):
        FilmPlan(**{**dict(plan), "shots": [plan.shots[1], plan.shots[1], plan.shots[2]]})
    shot = plan.shots[0]
    beyond = shot.first_move.model_copy(update={"end": View(x=0.01, y=0.5, zoom=1.0)})
    with pytest.raises(ValidationError, match="beyond the edge"):
        Shot(**{**dict(shot), "first_move": beyond})
    with pytest.raises(ValidationError, match="nothing leads from one to the other"):
        Shot(**{**dict(shot), "blend_frames": 0})
    with pytest.raises(ValueError, match="share no 14 frames"):
        transition(plan.shots[0], plan.shots[2].model_copy(update={"lead": 0}), plan.transitions[0])


def test_missing_frames_are_named_with_the_numbers() -> None:
    plan = plan_shots(pairs(2))
    with pytest.raises(CheckFailed, match=r"planned with 346 frames.*have 345: 166 \+ 14 \+ 165"):
        check_frames(plan, [166, 14, 165])


def test_a_segment_is_named_by_everything_its_frames_depend_on() -> None:
    segment = segments(plan_shots(pairs(1)))[0]
    assert segment.name == Segment.model_validate_json(segment.model_dump_json()).name
    coarse = segment.encoding.model_copy(update={"crf": 23})
    assert segment.model_copy(update={"encoding": coarse}).name != segment.name
    assert "av/" in segment.encoding.made_by
