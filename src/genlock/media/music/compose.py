"""Composing: from a mood, a seed and a number of video frames to a WAV file that ends with the film."""

from __future__ import annotations

from collections.abc import Iterator

from genlock.errors import BadInput
from genlock.media.music import mix, wav
from genlock.media.music.mood import MOODS
from genlock.media.music.score import Score, arrange
from genlock.media.music.synth import RATE, Samples
from genlock.media.music.tune import ComposeMusic, Passage, Tune
from genlock.media.operation import Progress, operation

_LONGEST = 3600.0


@operation("compose_music")
def compose(request: ComposeMusic, progress: Progress) -> Tune:
    """Write the piece to `request.path`; `BadInput` if the film is over an hour long."""
    samples = length(request.frames, request.fps)
    seconds = samples / RATE
    if seconds > _LONGEST:
        raise BadInput(f"music of {seconds:.0f} s was asked for; the composer goes up to {_LONGEST:.0f} s")
    mood = MOODS[request.mood]
    offset = min(request.offset, seconds / 2)
    score = arrange(mood, seconds=seconds, tempo=request.tempo, offset=offset, seed=request.seed)
    sound = _watched(mix.blocks(score, mood, samples, request.seed), samples, progress)
    wav.write(request.path, sound, samples)
    return _described(request, score, samples)


def length(frames: int, fps: int) -> int:
    """Samples a channel for this many video frames, to the nearest one."""
    return round(frames * RATE / fps)


def _watched(blocks: Iterator[Samples], samples: int, progress: Progress) -> Iterator[Samples]:
    done = 0
    for block in blocks:
        done += block.shape[1]
        progress(done / samples, "composing")
        yield block


def _described(request: ComposeMusic, score: Score, samples: int) -> Tune:
    return Tune(
        path=request.path,
        samples=samples,
        rate=RATE,
        tempo=score.tempo,
        beat=score.beat,
        bar=score.bar,
        key=score.key.name,
        chords=[chord.name for chord in score.chords],
        passages=_passages(score),
    )


def _passages(score: Score) -> list[Passage]:
    passages = [
        Passage(
            name=section.name,
            start=score.offset + section.first * score.bar,
            end=score.offset + (section.first + section.bars) * score.bar,
            energy=section.energy,
        )
        for section in score.sections
    ]
    return [*passages, Passage(name="close", start=score.close, end=score.seconds, energy=1)]
