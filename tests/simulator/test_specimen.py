"""Small films and sounds: real, exact, and the same each time."""

from __future__ import annotations

import io

import av
import pytest

from customer import BLUE, RED, picture
from genlock.errors import BadPicture, Unsupported
from genlock.media.specimen.film import FilmSpecimen, render_film
from genlock.media.specimen.sound import FORMATS, chord, encode, spell, voice


@pytest.mark.parametrize("size", [(160, 90), (90, 160), (96, 96)])
@pytest.mark.parametrize("fps", [24, 30])
def test_a_film_has_its_size_its_rate_and_its_frames(size: tuple[int, int], fps: int) -> None:
    data = render_film(FilmSpecimen(size, 12, fps, sound=True), RED, BLUE)
    with av.open(io.BytesIO(data)) as film:
        video, sound = film.streams.video[0], film.streams.audio[0]
        assert (video.width, video.height, video.average_rate) == (*size, fps)
        assert (video.codec_context.name, sound.codec_context.name) == ("h264", "aac")
        assert sum(1 for _ in film.decode(video)) == 12


def test_the_same_film_is_the_same_file() -> None:
    films = [render_film(FilmSpecimen(seed=seed, sound=True)) for seed in (1, 1, 2)]
    assert films[0] == films[1] != films[2]


def test_a_picture_of_another_shape_is_cut_to_fit() -> None:
    tall = picture((10, 200, 10), "JPEG")
    assert render_film(FilmSpecimen((32, 64), 2), tall, tall)


def test_a_broken_picture_is_named() -> None:
    with pytest.raises(BadPicture, match="cannot be read"):
        render_film(FilmSpecimen(), RED[:60], BLUE)


@pytest.mark.parametrize("format", FORMATS)
def test_a_sound_is_the_same_file_each_time(format: str) -> None:
    samples = voice(spell("One. Two."), 24000)
    assert encode(samples, 24000, format) == encode(samples, 24000, format)


def test_a_format_that_is_not_there_is_named() -> None:
    with pytest.raises(Unsupported, match="ulaw"):
        encode(chord(0.1, 8000, 1), 8000, "ulaw")


def test_letters_are_spoken_one_after_the_other() -> None:
    letters = spell("Ab, c", speed=2)
    assert [letter.start for letter in letters[1:]] == [letter.end for letter in letters[:-1]]
    assert letters[-1].end == pytest.approx((4 * 0.06 + 0.25) / 2)
