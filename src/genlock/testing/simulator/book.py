"""What the vendors received, accepted and charged; written down before it is answered."""

from __future__ import annotations

import fcntl
import json
import os
from collections import defaultdict
from collections.abc import Iterable, Mapping
from dataclasses import asdict, dataclass, field
from pathlib import Path
from typing import Any, TextIO

from genlock.errors import BadInput

FILE = "book.jsonl"


@dataclass(slots=True)
class Receipt:
    """One request as it came in. `at` is in seconds since 1970 of the vendors' time, `body` has long strings
    shortened, headers are not kept. `status` is what was answered, 0 if nothing was; `fault` what was done.
    """

    number: int
    at: float
    vendor: str
    route: str
    method: str
    path: str
    query: Mapping[str, str]
    key: str | None
    input: str
    body: Any
    fault: str | None = None
    status: int = 0
    charge: int | None = None  # the number of the charge it made


@dataclass(slots=True)
class Charge:
    """One acceptance: the vendor has the request, and `amount` (millionths of a dollar) is owed.

    `key` is ours if it was found anywhere in the request, `input` the hash of what was asked for without it,
    `id` the vendor's. `returned` is set when the vendor asks no money for it in the end: it made nothing.
    """

    number: int
    at: float
    vendor: str
    model: str
    id: str
    key: str | None
    seed: int | None
    input: str
    amount: int
    request: int
    returned: bool = False


@dataclass(slots=True)
class Report:
    """One webhook: where it went, under which id, and what was answered; 0 if nobody did."""

    at: float
    vendor: str
    id: str
    url: str
    status: int
    event: str


@dataclass(slots=True)
class Book:
    """All of it, in order; with a folder, each line is in a file before its request is answered."""

    requests: list[Receipt] = field(default_factory=list)
    charges: list[Charge] = field(default_factory=list)
    reports: list[Report] = field(default_factory=list)
    _file: TextIO | None = None

    def keep_in(self, folder: Path) -> list[dict[str, Any]]:
        """Go on with the book of a folder, or begin it; the lines there that are others' business."""
        folder.mkdir(parents=True, exist_ok=True)
        path = folder / FILE
        self._file = path.open("a", encoding="utf-8")
        try:
            fcntl.flock(self._file, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError:
            self._file.close()
            raise BadInput(f"another simulator keeps its book in {folder}: choose another folder") from None
        return self._read(path)

    def _read(self, path: Path) -> list[dict[str, Any]]:
        foreign = []
        text = path.read_text(encoding="utf-8")
        whole = text[: text.rfind("\n") + 1]
        if whole != text:  # who wrote the last line was killed meanwhile
            os.truncate(path, len(whole.encode()))
        for line in whole.splitlines():
            content = json.loads(line)
            kind = content.pop("kind")
            if kind == "request":
                self.requests.append(Receipt(**content))
            elif kind == "charge":
                self.charges.append(Charge(**content))
            elif kind == "report":
                self.reports.append(Report(**content))
            elif kind == "returned":
                self.charges[content["number"] - 1].returned = True
            elif kind == "answered":
                self._answered(content)
            else:
                foreign.append({"kind": kind, **content})
        return foreign

    def _answered(self, content: Mapping[str, Any]) -> None:
        receipt = self.requests[content["number"] - 1]
        receipt.status, receipt.fault = content["status"], content["fault"]

    def write(self, kind: str, content: Mapping[str, Any]) -> None:
        """Append a line of any kind."""
        if self._file is not None:
            self._file.write(json.dumps({"kind": kind, **content}, separators=(",", ":")) + "\n")
            self._file.flush()

    def receive(self, receipt: Receipt) -> None:
        """Before anything is done with it."""
        self.requests.append(receipt)
        self.write("request", asdict(receipt))

    def answer(self, receipt: Receipt, status: int) -> None:
        """What was said in the end."""
        receipt.status = status
        self.write("answered", {"number": receipt.number, "status": status, "fault": receipt.fault})

    def charge(self, charge: Charge) -> None:
        """Accepted: from here on it costs money, whether anybody is told of it or not."""
        self.charges.append(charge)
        self.write("charge", asdict(charge))

    def give_back(self, id: str) -> None:
        """No money is asked for the request with this id of the vendor's."""
        for charge in self.charges:
            if charge.id == id and not charge.returned:
                charge.returned = True
                self.write("returned", {"number": charge.number})

    def report(self, report: Report) -> None:
        """A webhook was sent, or could not be."""
        self.reports.append(report)
        self.write("report", asdict(report))

    def clear(self) -> None:
        """Begin anew, in the file as well."""
        self.requests.clear()
        self.charges.clear()
        self.reports.clear()
        if self._file is not None:
            self._file.truncate(0)

    def close(self) -> None:
        """Close the file."""
        if self._file is not None:
            self._file.close()


def by_input(charges: Iterable[Charge]) -> dict[str, list[Charge]]:
    """Charges by the hash of what was asked for."""
    found: dict[str, list[Charge]] = defaultdict(list)
    for charge in charges:
        found[charge.input].append(charge)
    return dict(found)


def by_key(charges: Iterable[Charge]) -> dict[str, list[Charge]]:
    """Charges by our key; those in which none was found are left out."""
    found: dict[str, list[Charge]] = defaultdict(list)
    for charge in charges:
        if charge.key is not None:
            found[charge.key].append(charge)
    return dict(found)
