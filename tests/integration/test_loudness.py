"""Loudness measured against signals whose loudness the standard defines, and tracks finished for a film."""

from __future__ import annotations

from pathlib import Path

import av
import numpy as np
import pytest
from numpy.typing import NDArray

from genlock.errors import BadInput, RenderRefused
from genlock.media.music import wav
from genlock.media.music.compose import compose
from genlock.media.music.synth import RATE
from genlock.media.music.tune import ComposeMusic
from genlock.media.sound import loudness
from genlock.media.sound import stream as sound
from genlock.media.sound.finish import finish
from genlock.media.sound.soundtrack import FinishAudio, MeasureLoudness, Soundtrack

Signal = NDArray[np.float32]


def quiet(fraction: float, note: str | None = None) -> None:
    assert 0 <= fraction <= 1


def sine(decibels: float, seconds: float = 5.0, hertz: float = 997.0, phase: float = 0.0) -> Signal:
    time = np.arange(round(seconds * RATE)) / RATE
    wave = 10 ** (decibels / 20) * np.sin(2 * np.pi * hertz * time + phase)
    return np.stack([wave, wave]).astype(np.float32)


def noise(decibels: float, seconds: float = 6.0) -> Signal:
    random = np.random.default_rng(4)
    return (10 ** (decibels / 20) * random.standard_normal((2, round(seconds * RATE)))).astype(np.float32)


def file(folder: Path, signal: Signal) -> Path:
    path = folder / "source.wav"
    wav.write(path, [signal], signal.shape[1])
    return path


def finished(source: Path, frames: int, **more: object) -> Soundtrack:
    order = {"source": source, "path": source.with_suffix(".m4a"), "frames": frames, **more}
    return finish(FinishAudio.model_validate(order), quiet)


def heard(path: Path) -> Signal:
    return np.concatenate(list(sound.read(path)), axis=1)


# Measuring


@pytest.mark.parametrize("level", [-23.0, -33.0, -14.0])
def test_a_sine_is_as_loud_as_the_standard_says(level: float) -> None:
    """EBU Tech 3341: a stereo sine of 1 kHz at -23 dBFS is -23 LUFS."""
    measured = loudness.measure([sine(level, hertz=1000.0)])
    assert measured.integrated == pytest.approx(level, abs=0.1)
    assert measured.true_peak == pytest.approx(level, abs=0.2)


def test_silence_between_does_not_count() -> None:
    """The gate of the standard: the pauses of -60 dB leave the loudness as it is."""
    blocks = [sine(-60.0, 4.0, 1000.0), sine(-20.0, 10.0, 1000.0), sine(-60.0, 4.0, 1000.0)]
    assert loudness.measure(blocks).integrated == pytest.approx(-20.0, abs=0.15)


def test_a_peak_between_samples_is_found() -> None:
    """A sine at a quarter of the sample rate, sampled beside its peaks: they are 3 dB above the samples."""
    hidden = sine(-6.0, 2.0, RATE / 4, phase=np.pi / 4) * np.hanning(2 * RATE).astype(np.float32)
    assert 20 * np.log10(np.abs(hidden).max()) == pytest.approx(-9.0, abs=0.05)
    assert loudness.measure([hidden]).true_peak == pytest.approx(-6.0, abs=0.2)


def test_a_peak_in_the_last_samples_is_found() -> None:
    signal = sine(-30.0, 2.013)
    signal[:, -60:-50] = 0.9
    assert loudness.measure([signal]).true_peak > -1.5


def test_silence_and_nothing_have_no_loudness() -> None:
    for blocks in ([np.zeros((2, RATE), np.float32)], [], [sine(-10.0, 0.2)]):
        assert loudness.measure(blocks).integrated == loudness.SILENCE
    assert loudness.measure([]).true_peak == loudness.NO_PEAK


def test_how_the_sound_is_cut_into_blocks_does_not_matter() -> None:
    whole = noise(-24.0)
    parts = np.array_split(whole, [11, 4099, 100_000, 100_001], axis=1)
    assert loudness.measure(parts) == loudness.measure([whole])


def test_any_file_with_sound_can_be_measured(tmp_path: Path) -> None:
    path = file(tmp_path, sine(-20.0, hertz=1000.0))
    assert loudness.measure_file(MeasureLoudness(path=path), quiet).integrated == pytest.approx(
        -20.0, abs=0.1
    )
    for name, content in (("empty.wav", b""), ("text.wav", b"hello, this is no sound")):
        (tmp_path / name).write_bytes(content)
        with pytest.raises(RenderRefused, match=f"{name} cannot be decoded as sound"):
            loudness.measure_file(MeasureLoudness(path=tmp_path / name), quiet)


# Levelling


def test_a_gain_without_limiting_moves_nothing_but_the_level() -> None:
    signal = noise(-30.0, 3.0)
    levelled = np.concatenate(list(loudness.levelled([signal], 6.0, -1.0)), axis=1)
    assert abs(levelled.shape[1] - signal.shape[1]) <= 1
    inner = slice(RATE // 2, 2 * RATE)
    expected = signal[:, inner] * 10 ** (6 / 20)
    # Oversampling takes a little off the very top of white noise; a shift by one sample would leave 100 %.
    off = levelled[:, inner] - expected
    assert np.sqrt(np.mean(off**2)) < 0.25 * np.sqrt(np.mean(expected**2))


def test_true_peaks_stay_under_the_ceiling_however_great_the_gain() -> None:
    for signal in (noise(-20.0), sine(-6.0, 3.0, RATE / 4, phase=np.pi / 4), noise(0.0)):
        levelled = loudness.levelled([signal], 12.0, -1.5)
        # White noise is the worst there is: going back to 48 kHz lifts its limited peaks a little.
        assert loudness.measure(levelled).true_peak < -1.5 + 0.7


# Finishing


@pytest.mark.parametrize("mood", ["calm", "bold", "cinematic", "bright"])
def test_music_comes_out_at_the_target_under_the_ceiling(mood: str, tmp_path: Path) -> None:
    source = tmp_path / "music.wav"
    compose(ComposeMusic.model_validate({"path": source, "frames": 450, "mood": mood, "seed": 3}), quiet)
    track = finished(source, 450)
    assert track.loudness.integrated == pytest.approx(-14.0, abs=0.5)
    assert track.loudness.true_peak <= -1.0
    assert track.bitrate >= 192_000
    again = loudness.measure(sound.exactly(sound.read(track.path), track.samples))
    assert again == track.loudness


@pytest.mark.parametrize(("frames", "fps"), [(91, 30), (100, 24), (333, 50), (47, 60)])
def test_the_track_is_as_long_as_the_film_and_nothing_is_shifted(
    frames: int, fps: int, tmp_path: Path
) -> None:
    count = round(frames * RATE / fps)
    signal = noise(-26.0, count / RATE)[:, :count]
    signal[:, RATE // 3 : RATE // 3 + 40] = 0.3
    track = finished(file(tmp_path, signal), frames, fps=fps)
    assert track.samples == count
    with av.open(str(track.path)) as container:
        stream = container.streams.audio[0]
        assert (stream.codec_context.name, stream.profile, stream.rate) == ("aac", "LC", RATE)
        assert stream.codec_context.channels == 2
        ends = [p.pts + p.duration for p in container.demux(stream) if p.pts is not None and p.duration]
        assert max(ends) == count
    sounded = heard(track.path)
    assert count <= sounded.shape[1] < count + 1024
    part = slice(RATE // 3 - 2000, RATE // 3 + 2000)
    lags = np.correlate(sounded[0, part], signal[0, part], "full")
    assert abs(int(np.argmax(lags)) - 3999) <= 1


def test_a_source_a_few_samples_off_is_fitted_and_more_is_refused(tmp_path: Path) -> None:
    signal = noise(-20.0, 3.0)
    assert finished(file(tmp_path, signal[:, :-700]), 90).samples == 3 * RATE
    with pytest.raises(BadInput, match=r"source\.wav lasts 0\.500 s where the film lasts 3\.000 s"):
        finished(file(tmp_path, signal[:, : RATE // 2]), 90)
    with pytest.raises(BadInput, match=r"lasts 3\.000 s where the film lasts 2\.000 s"):
        finished(file(tmp_path, signal), 60)


def test_other_rates_and_mono_become_48_khz_stereo(tmp_path: Path) -> None:
    path = tmp_path / "voice.flac"
    with av.open(str(path), "w") as container:
        stream = container.add_stream("flac", rate=44_100, layout="mono", format="s16")
        samples = (3000 * np.sin(np.arange(3 * 44_100) / 20)).astype(np.int16)[None]
        frame = av.AudioFrame.from_ndarray(samples, format="s16", layout="mono")
        frame.rate = 44_100
        container.mux(stream.encode(frame))
        container.mux(stream.encode(None))
    track = finished(path, 90)
    assert track.samples == 3 * RATE
    assert heard(track.path).shape[0] == 2


def test_silence_and_shreds_are_refused(tmp_path: Path) -> None:
    with pytest.raises(BadInput, match=r"source\.wav is silent"):
        finished(file(tmp_path, np.zeros((2, 2 * RATE), np.float32)), 60)
    with pytest.raises(BadInput, match="too short for sound"):
        finished(file(tmp_path, noise(-20.0, 0.2)), 6)


def test_what_cannot_be_loud_enough_is_refused_with_the_numbers(tmp_path: Path) -> None:
    """Bursts of 15 ms in a half second of nothing: all peak."""
    signal = noise(-60.0, 6.0) * 1e-3
    for start in range(0, signal.shape[1], RATE // 2):
        signal[:, start : start + 700] = noise(-12.0, 1.0)[:, :700]
    with pytest.raises(RenderRefused, match=r"LUFS, its peaks at -?\d+\.\d dBTP.*cannot be reached"):
        finished(file(tmp_path, signal), 180)


def test_another_target_can_be_ordered(tmp_path: Path) -> None:
    track = finished(file(tmp_path, noise(-30.0)), 180, target=-23.0, ceiling=-2.0)
    assert track.loudness.integrated == pytest.approx(-23.0, abs=0.5)
    assert track.loudness.true_peak <= -2.0
