"""What rendering processes made before: whoever is asked for the same of the same bytes hands it out again.

A proof asks for the same pictures a thousand times, and is about none of them. The process that is asked
is as real as ever, and so are the files it hands out; only the pixels are not reckoned anew.
"""

from __future__ import annotations

import hashlib
import json
import os
import secrets
import shutil
from collections.abc import Callable, Mapping
from contextlib import suppress
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

Message = dict[str, Any]
ANSWER = "answer.json"


@dataclass
class Asked:
    """A request in words that do not depend on where files lie: those that are there by the hash of their
    bytes, those that are to be made by their number.
    """

    words: Any = None
    there: dict[str, str] = field(default_factory=dict)  # paths and what stands for them
    new: dict[str, str] = field(default_factory=dict)

    @classmethod
    def of(cls, what: Message) -> Asked:
        asked = cls()
        asked.words = asked._said(what)
        return asked

    def _said(self, value: Any) -> Any:
        if isinstance(value, dict):
            return {name: self._said(each) for name, each in value.items()}
        if isinstance(value, list):
            return [self._said(each) for each in value]
        return self._name(value) if isinstance(value, str) and value.startswith("/") else value

    def _name(self, text: str) -> str:
        path = Path(text)
        if text not in self.there and text not in self.new:
            if path.is_file():
                self.there[text] = f"<{hashlib.sha256(path.read_bytes()).hexdigest()}{path.suffix}>"
            else:
                self.new[text] = f"<new-{len(self.new)}{path.suffix}>"
        return self.there.get(text) or self.new[text]

    @property
    def name(self) -> str:
        """The same for the same."""
        return hashlib.sha256(json.dumps(self.words, sort_keys=True).encode()).hexdigest()

    @property
    def folders(self) -> set[Path]:
        """Where something is to be made."""
        return {Path(path).parent for path in self.new}


@dataclass(frozen=True)
class Archive:
    """Answers and files in a folder, which any number of processes may fill at once."""

    folder: Path

    def perform(self, what: Message, act: Callable[[Message], Message]) -> Message:
        """The answer to `what`: an earlier one with its files, or else what `act` comes to."""
        asked = Asked.of(what)
        kept = self.folder / asked.name
        if (kept / ANSWER).is_file():
            return _handed_out(kept, asked)
        before, given = _files(asked), _marks(asked)
        answer = act(what)
        made = {Path(path): name for path, name in asked.new.items() if Path(path).is_file()}
        if "done" in answer and _files(asked) - before == set(made) and _marks(asked) == given:
            self._keep(kept, made, _renamed(answer, {**asked.there, **asked.new}))
        return answer

    def _keep(self, kept: Path, made: Mapping[Path, str], answer: Message) -> None:
        """By one rename: nobody finds half of it, and of two the first is as good as the second."""
        part = self.folder / f".{secrets.token_hex(8)}"
        part.mkdir(parents=True)
        for path, name in made.items():
            shutil.copyfile(path, part / name)
        (part / ANSWER).write_text(json.dumps(answer), encoding="utf-8")
        try:
            part.rename(kept)
        except OSError:
            shutil.rmtree(part, ignore_errors=True)
            if not kept.is_dir():
                raise


def _handed_out(kept: Path, asked: Asked) -> Message:
    places = {name: path for path, name in {**asked.there, **asked.new}.items()}
    for path, name in asked.new.items():
        with suppress(FileNotFoundError):  # it made fewer files than there are names for
            shutil.copyfile(kept / name, path)
    found: Message = _renamed(json.loads((kept / ANSWER).read_text(encoding="utf-8")), places)
    return found


def _files(asked: Asked) -> set[Path]:
    """What lies where something is to be made: more than was asked for is not known how to hand out."""
    return {Path(entry.path) for folder in asked.folders if folder.is_dir() for entry in os.scandir(folder)}


def _marks(asked: Asked) -> list[tuple[int, int]]:
    """What would be others if a file had been written over."""
    return [(found.st_size, found.st_mtime_ns) for found in map(os.stat, asked.there)]


def _renamed(value: Any, names: Mapping[str, str]) -> Any:
    if isinstance(value, dict):
        return {name: _renamed(each, names) for name, each in value.items()}
    if isinstance(value, list):
        return [_renamed(each, names) for each in value]
    return names.get(value, value) if isinstance(value, str) else value
