"""The scripts that may be run: those named in the settings, and none besides."""

from __future__ import annotations

import os
import re
import sys
import tomllib
from collections.abc import Mapping
from datetime import timedelta
from pathlib import Path
from typing import Any

from pydantic import BaseModel, ConfigDict, Field, ValidationError, field_validator

from genlock.errors import BadInput
from genlock.settings import Settings
from genlock.span import read_span

NAME = r"[A-Za-z0-9][A-Za-z0-9_.-]{0,63}"
_RUNNERS = {".py": (sys.executable,), ".sh": ("/bin/sh",)}  # of files that are not executable themselves


class Script(BaseModel):
    """One script as the settings have it."""

    model_config = ConfigDict(frozen=True, extra="forbid")

    path: Path
    args: tuple[str, ...] = ()
    folder: Path | None = Field(default=None, description="where it runs; the folder it lies in")
    timeout: timedelta | None = Field(default=None, description="after which it is ended; the job's deadline")

    @field_validator("path", "folder")
    @classmethod
    def _whole(cls, path: Path | None) -> Path | None:
        found = None if path is None else path.expanduser()
        if found is not None and not found.is_absolute():
            msg = f"{path} is not a whole path: begin it with / or ~"
            raise ValueError(msg)
        return found

    @field_validator("timeout", mode="before")
    @classmethod
    def _span(cls, value: Any) -> Any:
        try:
            return read_span(str(value)) if isinstance(value, str | int) else value
        except BadInput as error:
            raise ValueError(str(error)) from error

    @property
    def command(self) -> list[str]:
        """What is started. `BadInput` if the file is not there or cannot be run."""
        if not self.path.is_file():
            raise BadInput(f"{self.path} is not there, or is no file")
        runner = () if os.access(self.path, os.X_OK) else _RUNNERS.get(self.path.suffix)
        if runner is None:
            raise BadInput(f"{self.path} cannot be run: make it executable with chmod +x")
        return [*runner, str(self.path), *self.args]


class Roster:
    """Scripts by name, from `GENLOCK_SCRIPTS` and `scripts.toml`, read anew each time: both may change."""

    def __init__(self, settings: Settings) -> None:
        self._settings = settings

    def find(self, name: str) -> Script:
        """The script of this name, which can be run. `BadInput` if it is not named in the settings."""
        known = self.scripts()
        if name not in known:
            there_are = ", ".join(sorted(known)) or "none"
            raise BadInput(
                f"there is no script {name!r}; there are: {there_are}. Scripts are named in GENLOCK_SCRIPTS, "
                f"as name=/path, or in {self._settings.scripts_file}"
            )
        script = known[name]
        _ = script.command
        return script

    def check(self, params: Mapping[str, Any]) -> None:
        """Of a job's params, that they name a script which can be run."""
        self.find(str(params.get("name", "")))

    def scripts(self) -> dict[str, Script]:
        """All of them. `BadInput` says what in the settings does not fit."""
        return {**self._of_file(), **self._of_variable()}

    def _of_file(self) -> dict[str, Script]:
        path = self._settings.scripts_file
        try:
            found = tomllib.loads(path.read_text(encoding="utf-8"))
        except FileNotFoundError:
            return {}
        except (OSError, ValueError) as error:
            raise BadInput(f"{path} cannot be read: {error}") from error
        return {name: _script(name, given, str(path)) for name, given in found.items()}

    def _of_variable(self) -> dict[str, Script]:
        found = {}
        for part in filter(None, map(str.strip, (self._settings.scripts or "").split(","))):
            name, equals, path = part.partition("=")
            if not equals:
                raise BadInput(f"GENLOCK_SCRIPTS: {part!r} names no script: write name=/path, name=/path")
            found[name.strip()] = _script(name.strip(), {"path": path.strip()}, "GENLOCK_SCRIPTS")
        return found


def _script(name: str, given: Any, where: str) -> Script:
    if not re.fullmatch(NAME, name):
        raise BadInput(f"{where}: {name!r} cannot name a script: letters, digits and _ . - only")
    try:
        return Script.model_validate(given)
    except ValidationError as error:
        faults = "; ".join(f"{'.'.join(map(str, e['loc']))}: {e['msg']}" for e in error.errors())
        raise BadInput(f"{where}: script {name!r}: {faults}") from error
