"""What a vendor answered, and reading it: whatever is missing in it is an error of the right kind."""

from __future__ import annotations

import json
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from datetime import timedelta
from email.utils import parsedate_to_datetime
from typing import Any

from genlock.errors import Doubtful, Transient

WORDS = 300  # characters of a vendor's own words that are repeated
LONGEST_WAIT = timedelta(hours=1)  # more than that is a mistake in somebody's header


@dataclass(frozen=True, slots=True)
class Reply:
    """Status, headers (names in lower case) and body. `unclear` is what an answer nobody can read means:
    `Doubtful` for a request that may cost money, `Transient` for a question. `hide` takes keys out of words.
    """

    vendor: str
    status: int
    headers: Mapping[str, str] = field(repr=False)
    content: bytes = field(repr=False)
    unclear: type[Doubtful] | type[Transient] = Transient
    hide: Callable[[str], str] = field(default=str, repr=False)

    @property
    def ok(self) -> bool:
        return 200 <= self.status < 300

    def object(self) -> dict[str, Any]:
        """The JSON object that the body is."""
        found = self.maybe()
        if found is None:
            raise self.unclear(f"{self.vendor} answered {self.status} with {self._kind()} instead of JSON")
        return found

    def maybe(self) -> dict[str, Any] | None:
        """The JSON object that the body is, if it is one."""
        try:
            found = json.loads(self.content)
        except (ValueError, RecursionError):
            return None
        return found if isinstance(found, dict) else None

    def text(self, *path: str) -> str:
        """The text at this path in the body; a number counts as one, because some vendors' ids are."""
        found: Any = self.object()
        for name in path:
            found = found.get(name) if isinstance(found, dict) else None
        if isinstance(found, bool) or not isinstance(found, str | int) or found == "":
            raise self.unclear(f"{self.vendor} answered {self.status} without {'.'.join(path)}")
        return str(found)

    @property
    def retry_after(self) -> timedelta | None:
        """How long the vendor wants to be left alone: seconds, or a time, counted from its own clock."""
        said = self.headers.get("retry-after", "").strip()
        try:
            wait = timedelta(seconds=float(said)) if said.replace(".", "", 1).isdigit() else self._until(said)
        except (ValueError, TypeError, OverflowError):
            return None
        return min(max(wait, timedelta(0)), LONGEST_WAIT) if wait is not None else None

    def _until(self, said: str) -> timedelta | None:
        if not said:
            return None
        return parsedate_to_datetime(said) - parsedate_to_datetime(self.headers["date"])

    def words(self) -> str:
        """What the vendor said about it, in one line, without keys: cut after that, or half a key stays."""
        body = self.maybe()
        said = _said(body) if body is not None else self._plain()
        line = self.hide(" ".join(said.split()))
        return line if len(line) <= WORDS else line[: WORDS - 1] + "…"

    def _plain(self) -> str:
        if self.headers.get("content-type", "").startswith("text/plain"):
            return self.content[: 4 * WORDS].decode(errors="replace")
        return self._kind()

    def _kind(self) -> str:
        if not self.content.strip():
            return "nothing"
        kind = self.headers.get("content-type", "").partition(";")[0].strip()
        return {"text/html": "an HTML page", "application/json": "broken JSON"}.get(kind, kind or "something")


def _said(body: Any) -> str:
    """The sentences in an error body, whichever of the usual shapes it has."""
    if isinstance(body, str):
        return body
    if isinstance(body, list):
        return "; ".join(filter(None, map(_said, body)))
    if not isinstance(body, dict):
        return ""
    parts = [_said(body[key]) for key in ("error", "detail", "message", "msg", "failure") if key in body]
    if "loc" in body and isinstance(body["loc"], list):
        parts.insert(0, ".".join(map(str, body["loc"])))
    codes = [str(body[key]) for key in ("code", "status", "type", "failureCode") if _is_code(body.get(key))]
    title = [body["title"]] if isinstance(body.get("title"), str) else []
    return ": ".join(dict.fromkeys(filter(None, [*codes, *title, *parts])))


def _is_code(value: Any) -> bool:
    return isinstance(value, str) or (isinstance(value, int) and not isinstance(value, bool) and value > 999)
