"""The options of `genlock run PIPELINE`, made from the fields of what the pipeline is given.

A field `num_pairs` is `--num-pairs`, and `--pairs` for short; `with_audio` is `--with-audio` or
`--skip-audio`; a list of paths takes the arguments; `output` is also `-o`. A field's
`json_schema_extra={"option": "music"}` names it in another way. What is not given is left out, so
the order's own defaults hold; what no option can say is said with `--set` or `--params`.
"""

from __future__ import annotations

import inspect
import json
import os
import re
from collections.abc import Mapping
from dataclasses import dataclass
from datetime import timedelta
from enum import Enum
from pathlib import Path
from types import NoneType, UnionType
from typing import TYPE_CHECKING, Annotated, Any, Literal, Union, get_args, get_origin

import typer
from typer.models import ArgumentInfo

from genlock.errors import BadInput
from genlock.media.photo.source import WHOLE, called, from_text, to_text
from genlock.money import Money
from genlock.pipelines.wording import read_titles

if TYPE_CHECKING:
    from pydantic.fields import FieldInfo

    from genlock.engine.declare import Pipeline

READ = (".jpg", ".jpeg", ".jpe", ".jfif", ".mpo", ".png", ".apng", ".webp", ".tif", ".tiff", ".bmp", ".dib")
READ_TOO = (".gif", ".avif", ".jp2", ".j2k", ".jpx", ".jpf")
SAID_TO_BE_UNREAD = (".heic", ".heif", ".svg", ".eps", ".psd", ".ico")
PICTURES = frozenset(READ + READ_TOO + SAID_TO_BE_UNREAD)
SPAN = re.compile(r"(?:(\d+(?:\.\d+)?)h)?(?:(\d+(?:\.\d+)?)m)?(?:(\d+(?:\.\d+)?)s?)?")


@dataclass(frozen=True, slots=True)
class Common:
    """The options that every pipeline has."""

    set: tuple[str, ...]
    params: Path | None
    deadline: timedelta | None
    job_id: str | None
    cap: str | None
    detach: bool
    quiet: bool
    json: bool


COMMON: Mapping[str, tuple[Any, Any]] = {
    "set": (
        list[str] | None,
        typer.Option("--set", metavar="KEY=VALUE", help="Any parameter; the value is JSON or plain text."),
    ),
    "params": (
        Path | None,
        typer.Option("--params", metavar="FILE", help="Parameters from a JSON file; options win over it."),
    ),
    "deadline": (
        str | None,
        typer.Option("--deadline", metavar="SPAN", help="Stop after this long, such as 90m."),
    ),
    "job_id": (
        str | None,
        typer.Option("--job-id", metavar="ID", help="The new job's id."),
    ),
    "cap": (
        str | None,
        typer.Option("--cap", metavar="AMOUNT", help="What the job may spend on paid calls, such as 2.50."),
    ),
    "detach": (bool, typer.Option("--detach", help="Only start the job; do not wait for it.")),
    "quiet": (bool, typer.Option("--quiet", "-q", help="Show no progress.")),
    "json": (bool, typer.Option("--json", help="Show progress as JSON lines.")),
}


TITLES: tuple[Any, Any] = (
    Path | None,
    typer.Option("--titles", metavar="FILE", help="Titles and captions from a .csv, .json, .toml or .txt."),
)


def signature_of(pipeline: Pipeline[..., Any]) -> inspect.Signature:
    """What `run PIPELINE` takes, as the signature that typer reads."""
    fields = [_parameter(name, field) for name, field in fields_of(pipeline).items() if _said(field)]
    fields.sort(key=lambda one: not _positional(one))
    words = {"titles": TITLES} if _has_words(pipeline) else {}
    common = [
        inspect.Parameter(
            f"_{name}",
            inspect.Parameter.KEYWORD_ONLY,
            annotation=Annotated[kind, option],
            default=False if kind is bool else None,
        )
        for name, (kind, option) in {**words, **COMMON}.items()
    ]
    return inspect.Signature([*fields, *common])


def read_options(pipeline: Pipeline[..., Any], given: Mapping[str, Any]) -> tuple[dict[str, Any], Common]:
    """What typer read, as the pipeline's parameters in JSON and the common options."""
    common = _common(given)
    fields = fields_of(pipeline)
    params: dict[str, Any] = _from_file(common.params)
    if titles := given.get("_titles"):
        params.update(read_titles(titles))
    for name, value in given.items():
        if name in fields and value not in (None, [], ()):
            params[name] = target(value) if name == "output" else _plain(fields[name], value)
    for pair in common.set:
        key, equals, value = pair.partition("=")
        if not equals or not key:
            raise BadInput(f"--set {pair}: write it as KEY=VALUE")
        params[key.replace("-", "_")] = _json_or_text(value)
    return params, common


def fields_of(pipeline: Pipeline[..., Any]) -> Mapping[str, FieldInfo]:
    """The fields of a pipeline's one input if it is a model, else none: its inputs are said with `--set`."""
    from pydantic import BaseModel

    kinds = list(pipeline.contract.kinds.values())
    if len(kinds) == 1 and isinstance(kinds[0], type) and issubclass(kinds[0], BaseModel):
        return kinds[0].model_fields
    return {}


def _has_words(pipeline: Pipeline[..., Any]) -> bool:
    """Whether a file of titles says something to this pipeline."""
    return "captions" in fields_of(pipeline)


def span(text: str) -> timedelta:
    """A length of time: seconds (`90`, `1.5`), or hours, minutes and seconds (`2h`, `1h30m`, `45s`)."""
    found = SPAN.fullmatch(text.strip().lower())
    if not text.strip() or found is None or not any(found.groups()):
        raise BadInput(f"{text!r} is no length of time: write 45s, 90m, 2h or 1h30m")
    hours, minutes, seconds = (float(part or 0) for part in found.groups())
    length = timedelta(hours=hours, minutes=minutes, seconds=seconds)
    if length <= timedelta(0):
        raise BadInput("a deadline is longer than nothing")
    return length


def files(paths: list[str]) -> list[str]:
    """Paths as absolute ones; a folder stands for the pictures in it, in the order of their names.

    What is found in a folder is looked at when the job runs, with all else that may be wrong with pictures.
    """
    given = [from_text(path).expanduser().absolute() for path in paths]
    missing = [path for path in given if not os.path.lexists(path)]
    if missing:
        named = ", ".join(called(str(path), WHOLE) for path in missing)
        raise BadInput(f"there is no file {named}" if len(missing) == 1 else f"there are no files {named}")
    found = [each for path in given for each in (_pictures(path) if path.is_dir() else [path])]
    return [to_text(path) for path in dict.fromkeys(found)]


def target(path: str) -> str:
    """Where a film is to be written, as an absolute path: known to be possible before hours are spent."""
    found = from_text(path).expanduser().absolute()
    name = called(str(found), WHOLE)
    if to_text(found) != str(found):
        raise BadInput(f"a film cannot be written to {name}, a name that is no UTF-8: choose another")
    if found.is_dir():
        raise BadInput(f"{name} is a folder: name the file, such as {called(str(found / 'film.mp4'), WHOLE)}")
    if not found.parent.is_dir():
        raise BadInput(f"there is no folder {called(str(found.parent), WHOLE)}")
    if not os.access(found if found.exists() else found.parent, os.W_OK):
        raise BadInput(f"cannot write {name}")
    return str(found)


def _pictures(folder: Path) -> list[Path]:
    """The pictures of a folder, those included that cannot be read: people will miss them in the film."""
    try:
        entries = [entry for entry in folder.iterdir() if not entry.name.startswith(".")]
    except OSError as error:
        raise BadInput(f"{called(str(folder), WHOLE)} cannot be opened: {error.strerror}") from error
    pictures = [entry for entry in entries if entry.suffix.lower() in PICTURES]
    if not pictures:
        folders = sum(entry.is_dir() for entry in entries)
        inner = {0: "", 1: "; there is a folder in it: name that"}
        more = inner.get(folders, f"; there are {folders} folders in it: name those you want")
        raise BadInput(f"there are no pictures in {called(str(folder), WHOLE)}{more}")
    return sorted(pictures, key=lambda path: _natural(path.name))


def _natural(name: str) -> list[tuple[int, str]]:
    """photo2 before photo10."""
    parts = re.split(r"(\d+)", name)
    return [(int(part), "") if part.isdecimal() else (-1, part.casefold()) for part in parts if part]


def _parameter(name: str, field: FieldInfo) -> inspect.Parameter:
    kind = _kind(field.annotation)
    about = (field.description or name.replace("_", " ")).capitalize()
    default = field.get_default() if not field.is_required() else None
    shown = "" if default is None or isinstance(default, bool) else f" [default: {_shown(default)}]"
    if _is_files(field.annotation):
        info: Any = typer.Argument(help=f"{about}, or folders of them.", metavar=name.upper())
        return _place(name, list[str] | None, info)
    words = _words(name, field)
    return _place(name, kind | None, typer.Option(*words, help=f"{about}.{shown}", show_default=False))


def _place(name: str, kind: Any, info: Any) -> inspect.Parameter:
    return inspect.Parameter(
        name, inspect.Parameter.KEYWORD_ONLY, annotation=Annotated[kind, info], default=None
    )


def _words(name: str, field: FieldInfo) -> list[str]:
    extra = field.json_schema_extra
    also = extra.get("option") if isinstance(extra, dict) else None
    words = [f"--{also}"] if isinstance(also, str) else []
    dashed = name.replace("_", "-")
    if _kind(field.annotation) is bool:
        about = dashed.removeprefix("with-")
        return [f"--{dashed}/--{'skip' if about != dashed else 'no'}-{about}"]
    if dashed.startswith("num-"):
        words.append(f"--{dashed.removeprefix('num-')}")
    if dashed == "output":
        words.append("-o")
    return [*words, f"--{dashed}"]


def option_of(name: str, field: FieldInfo) -> str:
    """What a field is called on the command line, in one word."""
    return name.upper() if _is_files(field.annotation) else _words(name, field)[0]


def _shown(default: Any) -> str:
    if isinstance(default, list):
        return ",".join(map(str, default))
    return str(default.value if isinstance(default, Enum) else default)


def _positional(parameter: inspect.Parameter) -> bool:
    return isinstance(parameter.annotation.__metadata__[0], ArgumentInfo)


def _said(field: FieldInfo) -> bool:
    """Whether an option can say the field's value."""
    return _is_files(field.annotation) or _kind(field.annotation) is not None


def _kind(annotation: Any) -> Any:
    """The scalar type behind an annotation, None if it is not a scalar."""
    origin = get_origin(annotation)
    if origin is Annotated:
        return _kind(get_args(annotation)[0])
    if origin is Literal:
        return annotation
    if origin is list and get_origin(get_args(annotation)[0]) is Literal:
        return str  # its values with commas between them; the field takes them apart
    if origin in (Union, UnionType):
        kinds = [one for one in get_args(annotation) if one is not NoneType]
        return _kind(kinds[0]) if len(kinds) == 1 else None
    if annotation in (str, int, float, bool, Path):
        return annotation
    return annotation if isinstance(annotation, type) and issubclass(annotation, Enum) else None


def _is_path(annotation: Any) -> bool:
    from genlock.pipelines.models import AbsolutePath

    wanted: object = AbsolutePath
    return wanted in (annotation, *get_args(annotation))


def _is_files(annotation: Any) -> bool:
    return get_origin(annotation) is list and _is_path(annotation)


def _plain(field: FieldInfo, value: Any) -> Any:
    if _is_files(field.annotation):
        return files(value)
    if _is_path(field.annotation):
        return str(Path(value).expanduser().absolute())
    return value.value if isinstance(value, Enum) else value


def _common(given: Mapping[str, Any]) -> Common:
    words: dict[str, Any] = {name: given[f"_{name}"] for name in COMMON}
    words["set"] = tuple(words["set"] or ())
    if words["cap"]:
        Money.parse(words["cap"])
    words["deadline"] = span(words["deadline"]) if words["deadline"] else None
    return Common(**words)


def _from_file(path: Path | None) -> dict[str, Any]:
    if path is None:
        return {}
    try:
        found = json.loads(path.read_text())
    except (OSError, ValueError) as error:
        raise BadInput(f"--params {path}: {error}") from error
    if not isinstance(found, dict):
        raise BadInput(f"--params {path}: not a JSON object")
    return found


def _json_or_text(text: str) -> Any:
    try:
        return json.loads(text)
    except ValueError:
        return text
