"""What is said of a film that came out: where it is, how long, and what the check found."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from typing import TYPE_CHECKING, Any

from genlock.cli.word import briefly

if TYPE_CHECKING:
    from genlock.settings import Settings

LISTED = 30  # pictures left out that are named one by one


async def keep_place(settings: Settings, result: Any) -> str | None:
    """The file in the store, for a film of which no copy was asked for."""
    from pydantic import ValidationError

    from genlock.errors import StoreError
    from genlock.store.artifact import Artifact
    from genlock.store.local import LocalStore

    if not isinstance(result, Mapping) or "film" not in result:
        return None
    try:
        return str(await LocalStore(settings.store).path(Artifact.model_validate(result["film"])))
    except (ValidationError, StoreError):  # no film of ours, or cleaned away: then there is no place to name
        return None


def film_lines(result: Any, place: str | None = None) -> Iterator[tuple[str, str]]:
    """Names and values, as far as the result is a film; any other result as it is."""
    if result is None:
        return
    if isinstance(result, Mapping) and "films" in result:
        for each in result["films"]:
            yield from film_lines(each)
        return
    if not isinstance(result, Mapping) or "film" not in result:
        yield "result", briefly(str(result))
        return
    if path := result.get("path"):
        yield "film", str(path)
    elif place:
        yield "film", f"{place} (in the store; with -o a copy is written where you want it)"
    if seconds := result.get("seconds"):
        yield "length", _length(seconds, result)
    yield from _made_by(result)
    if found := (result.get("parts") or {}).get("found"):
        rendered = result["parts"].get("rendered", 0)
        yield "parts", f"{rendered} of {rendered + found} rendered, {found} known from before"
    findings = (result.get("report") or {}).get("findings")
    if findings:
        yield "check", _check(findings)
    yield from left_out_lines(result)


def _made_by(film: Mapping[str, Any]) -> Iterator[tuple[str, str]]:
    """Which models generated what is to be seen; nothing for camera moves on the photos."""
    if generated := film.get("generated"):
        makers = ", ".join(dict.fromkeys(str(each["made_by"]) for each in generated))
        yield "made", f"{len(generated)} of {film.get('clips')} clips by {makers}"


def left_out_lines(value: Any) -> Iterator[tuple[str, str]]:
    """What an order goes without, as far as a stage's output or a job's result says so: a line each."""
    left_out = value.get("left_out") if isinstance(value, Mapping) else None
    if not left_out:
        return
    count = len(left_out)
    yield "without", f"{count} {'photo' if count == 1 else 'photos'} that cannot be used:"
    for each in left_out[:LISTED]:
        yield "", briefly(str(each["why"]), 400)
    if count > LISTED:
        yield "", f"and {count - LISTED} more: genlock jobs show --json has them all"


def _length(seconds: float, film: Mapping[str, Any]) -> str:
    minutes, rest = divmod(seconds, 60)
    clips = f", {film['clips']} clips" if film.get("clips") else ""
    shape = f"{film.get('width')}×{film.get('height')} at {film.get('fps')}/s"
    return f"{int(minutes)}:{rest:04.1f} ({film.get('frames')} frames, {shape}{clips})"


def _check(findings: Sequence[Mapping[str, Any]]) -> str:
    passed = sum(bool(finding["passed"]) for finding in findings)
    heard = [
        str(finding["got"])
        for finding in findings
        if any(word in str(finding["name"]).lower() for word in ("loudness", "peak"))
    ]
    return ", ".join((f"{passed} of {len(findings)} passed", *heard))
