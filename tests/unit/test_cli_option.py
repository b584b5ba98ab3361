"""The options of `genlock run PIPELINE` come from what the pipeline is given."""

from __future__ import annotations

from datetime import timedelta
from pathlib import Path
from typing import Any, Literal

import pytest
import typer
from pydantic import BaseModel, Field
from typer.testing import CliRunner

from genlock import pipeline, stage
from genlock.cli.option import Common, files, read_options, signature_of, span
from genlock.cli.param import check_numbers, in_options
from genlock.errors import BadInput
from genlock.pipelines.models import AbsolutePath


class Order(BaseModel):
    photos: list[AbsolutePath] = Field(description="picture files")
    num_pairs: int = Field(default=10, description="how many pairs")
    clip_duration: float = 6.0
    aspect: Literal["16:9", "9:16"] = "16:9"
    music_style: Literal["calm", "bold"] | None = Field(default=None, json_schema_extra={"option": "music"})
    with_audio: bool = True
    output: AbsolutePath | None = None
    nested: dict[str, int] = {}


@stage
async def keep(order: Order) -> int:
    return len(order.photos)


@pipeline
def film(order: Order) -> int:
    """Makes a film."""
    return keep(order)


@stage
async def add(a: int, b: int) -> int:
    return a + b


@pipeline
def total(a: int, b: int) -> int:
    return add(a, b)


class Told:
    def __init__(self, wired: Any = film) -> None:
        self.params: dict[str, Any] = {}
        self.common: Common | None = None

        def start(**given: Any) -> None:
            self.params, self.common = read_options(wired, given)

        start.__signature__ = signature_of(wired)  # type: ignore[attr-defined]
        start.__annotations__ = {
            name: each.annotation
            for name, each in start.__signature__.parameters.items()  # type: ignore[attr-defined]
        }
        self.app = typer.Typer(rich_markup_mode=None, pretty_exceptions_enable=False)
        self.app.command()(start)

    def __call__(self, *words: str) -> Any:
        answer = CliRunner().invoke(self.app, words)
        if isinstance(answer.exception, BadInput):
            raise answer.exception
        assert answer.exit_code == 0, answer.output
        return answer.output


def test_what_is_not_given_is_left_to_the_order() -> None:
    told = Told()
    told()
    assert told.params == {}
    assert told.common == Common(
        set=(), params=None, deadline=None, job_id=None, cap=None, detach=False, quiet=False, json=False
    )


def test_every_scalar_field_has_its_option(tmp_path: Path) -> None:
    photo = tmp_path / "a.jpg"
    photo.touch()
    told = Told()
    told(
        *(str(photo), "--pairs", "3", "--clip-duration", "2.5", "--aspect", "9:16", "--music", "bold"),
        *("--skip-audio", "-o", str(tmp_path / "film.mp4"), "--deadline", "90m", "--job-id", "x", "-q"),
    )
    assert told.params == {
        "photos": [str(photo)],
        "num_pairs": 3,
        "clip_duration": 2.5,
        "aspect": "9:16",
        "music_style": "bold",
        "with_audio": False,
        "output": str(tmp_path / "film.mp4"),
    }
    assert told.common is not None
    assert told.common.deadline == timedelta(minutes=90)
    assert (told.common.job_id, told.common.quiet) == ("x", True)


def test_the_help_names_defaults_and_spares_what_no_option_can_say() -> None:
    text = Told()("--help")
    assert "--pairs, --num-pairs" in text
    assert "[default: 10]" in text
    assert "--with-audio / --skip-audio" in text
    assert "--nested" not in text


def test_relative_paths_become_absolute(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    Path("a.jpg").touch()
    told = Told()
    told("a.jpg", "-o", "film.mp4")
    assert told.params == {"photos": [str(tmp_path / "a.jpg")], "output": str(tmp_path / "film.mp4")}


def test_where_nothing_can_be_written_is_said_at_once(tmp_path: Path) -> None:
    for path, said in ((tmp_path, "is a folder"), (tmp_path / "none" / "film.mp4", "there is no folder")):
        with pytest.raises(BadInput, match=said):
            Told()("-o", str(path))


def test_set_wins_over_options_and_they_over_the_file(tmp_path: Path) -> None:
    (tmp_path / "p.json").write_text('{"num_pairs": 1, "clip_duration": 1, "nested": {"a": 1}}')
    told = Told()
    told(
        "--params",
        str(tmp_path / "p.json"),
        "--pairs",
        "2",
        "--set",
        "clip-duration=3",
        "--set",
        "aspect=9:16",
    )
    assert told.params == {"num_pairs": 2, "clip_duration": 3, "nested": {"a": 1}, "aspect": "9:16"}


@pytest.mark.parametrize(
    "words", [("--set", "x"), ("--set", "=1"), ("--params", "/none"), ("--deadline", "soon")]
)
def test_words_that_make_no_sense_are_refused(words: tuple[str, ...]) -> None:
    with pytest.raises(BadInput):
        Told()(*words)


def test_a_pipeline_of_plain_inputs_is_given_them_with_set() -> None:
    told = Told(total)
    told("--set", "a=1", "--set", "b=2")
    assert told.params == {"a": 1, "b": 2}


def test_a_folder_stands_for_its_pictures_in_natural_order(tmp_path: Path) -> None:
    for name in ("b10.JPG", "b9.png", "A.webp", ".hidden.jpg", "notes.txt"):
        (tmp_path / name).touch()
    assert [Path(p).name for p in files([str(tmp_path)])] == ["A.webp", "b9.png", "b10.JPG"]
    assert files([str(tmp_path / "b9.png"), str(tmp_path)])[0].endswith("b9.png")
    (tmp_path / "empty").mkdir()
    with pytest.raises(BadInput, match="no pictures in"):
        files([str(tmp_path / "empty")])
    with pytest.raises(BadInput, match="there is no file"):
        files([str(tmp_path / "none.jpg")])


@pytest.mark.parametrize(
    ("text", "seconds"), [("90", 90), ("1.5", 1.5), ("45s", 45), ("90m", 5400), ("2h", 7200), ("1h30m", 5400)]
)
def test_lengths_of_time_are_read(text: str, seconds: float) -> None:
    assert span(text).total_seconds() == seconds


@pytest.mark.parametrize("text", ["", "soon", "-1", "0", "1d", "h"])
def test_what_is_no_length_of_time_is_refused(text: str) -> None:
    with pytest.raises(BadInput):
        span(text)


@pytest.mark.parametrize(
    ("message", "said"),
    [
        ("order.num_pairs: input should be greater than 0", "--pairs: input should be greater than 0"),
        (
            "order.num_pair: Extra inputs are not permitted",
            "num_pair: there is no such parameter: did you mean num_pairs?",
        ),
        ("the disk is gone", "the disk is gone"),
    ],
)
def test_an_order_that_does_not_fit_is_told_of_in_the_words_of_the_command_line(
    message: str, said: str
) -> None:
    assert str(in_options(film, BadInput(message))) == said


def test_a_number_that_is_none_is_refused_by_the_name_of_its_option() -> None:
    with pytest.raises(BadInput, match="--clip-duration nan"):
        check_numbers(film, {"clip_duration": float("nan")})
