"""Operations are found by name, and the parent's side of media imports nothing heavy."""

import subprocess
import sys

import pytest

from genlock.errors import RenderRefused
from genlock.media import message
from genlock.media.operation import MODULES, Progress, Request, Value, find, operation
from genlock.media.request import ProbeMedia

LIGHT = [
    *("operation", "pool", "message", "request", "film.motion", "film.plan", "film.segment"),
    *("music.mood", "music.tune", "sound.soundtrack", "pairing.choice", "check.report"),
]


class Answer(Value):
    doubled: int


class Double(Request[Answer]):
    number: int


@operation("double_for_test")
def double(request: Double, progress: Progress) -> Answer:
    progress(1.0, "doubled")
    return Answer(doubled=2 * request.number)


def test_a_request_knows_what_answers_it() -> None:
    assert Double.response() is Answer

    class Nameless(Request):  # type: ignore[type-arg]
        pass

    with pytest.raises(TypeError, match="does not say what answers it"):
        Nameless.response()


def test_an_operation_is_performed_on_json_values() -> None:
    heard: list[tuple[float, str | None]] = []
    answer = find("double_for_test").perform({"number": 21}, lambda at, note=None: heard.append((at, note)))
    assert answer == {"doubled": 42}
    assert heard == [(1.0, "doubled")]


def test_an_operation_needs_an_annotated_request_and_a_name_of_its_own() -> None:
    with pytest.raises(TypeError, match="two operations are called"):
        operation("double_for_test")(double)
    with pytest.raises(TypeError, match="must take a pydantic model first"):

        @operation("bare_for_test")
        def bare(request, progress):  # type: ignore[no-untyped-def]
            return Answer(doubled=1)


def test_an_unknown_operation_is_refused_with_the_list() -> None:
    with pytest.raises(RenderRefused, match=r"no media operation 'juggle'.*render_segment"):
        find("juggle")
    with pytest.raises(RenderRefused, match="registers no such operation"):
        find("juggle", {"juggle": "genlock.media.film.motion"})


@pytest.mark.parametrize("name", sorted(MODULES))
def test_every_listed_operation_is_where_it_is_listed(name: str) -> None:
    assert find(name).name == name


def test_the_parents_side_imports_nothing_heavy() -> None:
    modules = ", ".join(f"genlock.media.{name}" for name in LIGHT)
    program = f"import sys, {modules}; print({{'cv2', 'av', 'numpy', 'PIL'}} & set(sys.modules))"
    told = subprocess.run([sys.executable, "-c", program], capture_output=True, text=True, check=True)
    assert told.stdout.strip() == "set()"


def test_messages_are_packed_behind_their_length() -> None:
    packed = message.pack({"text": "é"})
    assert message.length(packed[: message.HEADER]) == len(packed) - message.HEADER
    assert message.unpack(packed[message.HEADER :]) == {"text": "é"}
    with pytest.raises(ValueError, match="does not speak this protocol"):
        message.length(b"HTTP")
    with pytest.raises(TypeError, match="not a list"):
        message.unpack(b"[]")


def test_unknown_fields_of_a_request_are_refused() -> None:
    with pytest.raises(ValueError, match="Extra inputs"):
        ProbeMedia.model_validate({"path": "/x", "follow": True})
