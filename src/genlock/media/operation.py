"""What rendering children can do, by name.

An operation is a plain function `(request, progress) -> response` between two pydantic models. The
function lives in a module that may import cv2, av or numpy and is imported in the child alone; the
models live in modules that import nothing heavy, because the parent builds and reads them:

    class MeasureLoudness(Request[Loudness]):       # loudness_request.py, light
        path: Path

    @operation("measure_loudness")                  # loudness.py, heavy; listed in MODULES
    def measure(request: MeasureLoudness, progress: Progress) -> Loudness: ...

    loudness = await pool.run("measure_loudness", MeasureLoudness(path=path))
"""

from __future__ import annotations

import importlib
import inspect
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from types import MappingProxyType
from typing import Any, Generic, Protocol, TypeVar, get_type_hints

from pydantic import BaseModel, ConfigDict

from genlock.errors import RenderRefused

R = TypeVar("R", bound=BaseModel)
Function = TypeVar("Function", bound=Callable[..., BaseModel])

MODULES: Mapping[str, str] = MappingProxyType(
    {
        "look_at_picture": "genlock.media.photo.picture",
        "import_picture": "genlock.media.photo.picture",
        "portray_picture": "genlock.media.photo.picture",
        "cut_picture": "genlock.media.photo.cutting",
        "render_segment": "genlock.media.film.frames",
        "look_at_footage": "genlock.media.film.viewing",
        "join": "genlock.media.film.mux",
        "mux": "genlock.media.film.mux",
        "poster": "genlock.media.film.sheet",
        "contact_sheet": "genlock.media.film.sheet",
        "probe": "genlock.media.check.probe",
        "try_encoder": "genlock.media.check.encoder",
        "compose_music": "genlock.media.music.compose",
        "finish_audio": "genlock.media.sound.finish",
        "measure_loudness": "genlock.media.sound.loudness",
        "check_film": "genlock.media.check.film",
        "review_film": "genlock.media.check.review",
        "choose_pairs": "genlock.media.pairing.chooser",
        "link_pictures": "genlock.media.film.relation",
        "set_captions": "genlock.media.text.audit",
        "import_logo": "genlock.media.text.audit",
    }
)


class Value(BaseModel):
    """A frozen value that crosses the border to a child; unknown fields are refused."""

    model_config = ConfigDict(frozen=True, extra="forbid")


class Request(Value, Generic[R]):
    """What an operation is asked; the parameter is the model it answers with."""

    @classmethod
    def response(cls) -> type[R]:
        """The model of the answer, as written in the class's bases."""
        for base in cls.__mro__:
            metadata = getattr(base, "__pydantic_generic_metadata__", {})
            if metadata.get("origin") is Request and metadata["args"]:
                answer: type[R] = metadata["args"][0]
                return answer
        raise TypeError(f"{cls.__name__} does not say what answers it: derive it from Request[Answer]")


class Progress(Protocol):
    """How an operation says that it is alive and how far it is: 0..1, with a note for people.

    Call it at least every few seconds: a child that says nothing for the pool's `stall` is killed.
    Calls are cheap; those in quick succession are dropped on the way.
    """

    def __call__(self, fraction: float, note: str | None = None) -> None: ...


@dataclass(frozen=True, slots=True)
class Operation:
    """A function with the models its annotations name."""

    name: str
    act: Callable[[Any, Progress], BaseModel]
    request: type[BaseModel]

    def perform(self, request: Mapping[str, Any], progress: Progress) -> dict[str, Any]:
        """Validate the request, act, and give the answer as JSON values."""
        answer = self.act(self.request.model_validate(request), progress)
        return answer.model_dump(mode="json")


_REGISTERED: dict[str, Operation] = {}


def operation(name: str) -> Callable[[Function], Function]:
    """Register a function under the name the pool asks for; `TypeError` if its signature does not fit."""

    def register(act: Function) -> Function:
        if name in _REGISTERED:
            raise TypeError(f"two operations are called {name!r}")
        _REGISTERED[name] = Operation(name, act, _request_model(name, act))
        return act

    return register


def find(name: str, modules: Mapping[str, str] = MODULES) -> Operation:
    """The operation of this name, importing its module; `RenderRefused` if there is none."""
    if name not in _REGISTERED:
        if name not in modules:
            raise RenderRefused(
                f"there is no media operation {name!r}; there are: {', '.join(sorted(modules))}"
            )
        importlib.import_module(modules[name])
    if name not in _REGISTERED:
        raise RenderRefused(f"{modules[name]} is listed for {name!r} but registers no such operation")
    return _REGISTERED[name]


def _request_model(name: str, act: Callable[..., BaseModel]) -> type[BaseModel]:
    first = next(iter(inspect.signature(act).parameters), None)
    model = get_type_hints(act).get(first or "")
    if not (isinstance(model, type) and issubclass(model, BaseModel)):
        raise TypeError(f"operation {name!r} must take a pydantic model first, annotated")
    return model
