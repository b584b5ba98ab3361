"""What is said of a film that came out: where it is, how long, and what the check found."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from typing import TYPE_CHECKING, Any

from genlock.cli.word import briefly

if TYPE_CHECKING:
    from genlock.settings import Settings


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
    if not isinstance(result, Mapping) or "film" not in result:
        yield "result", briefly(str(result))
        return
    if path := result.get("path"):
        yield "film", str(path)
    elif place:
        yield "film", f"{place} (in the store; with -o a copy is written where you want it)"
    if seconds := result.get("seconds"):
        yield "length", _length(seconds, result)
    findings = (result.get("report") or {}).get("findings")
    if findings:
        yield "check", _check(findings)


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
