"""What models can do and what they cost: data, because both change every few months.

`models.toml` beside this module is where it begins; `GENLOCK_HOME/models.toml` adds models and replaces
single fields of known ones. A model that is in neither is not used, for nobody could say what it costs.
"""

from __future__ import annotations

import tomllib
from collections.abc import Mapping, Sequence
from datetime import date, timedelta
from decimal import Decimal
from enum import StrEnum
from functools import cache
from importlib.resources import files
from pathlib import Path
from typing import Any, Literal

from pydantic import BaseModel, ConfigDict, Field, ValidationError

from genlock.errors import BadInput, Unsupported
from genlock.money import Money

Unit = Literal["second", "call", "thousand_characters", "million_input_tokens", "million_output_tokens"]
Facets = Mapping[str, Any]
OWN = "models.toml"


class Kind(StrEnum):
    """What a model makes."""

    VIDEO = "video"
    MUSIC = "music"
    SPEECH = "speech"
    LANGUAGE = "language"


class Price(BaseModel):
    """An amount for a unit, `when` the request is like this (`audio`, `resolution`); always, if empty."""

    model_config = ConfigDict(frozen=True, extra="forbid")

    per: Unit
    amount: Decimal = Field(ge=0)
    currency: str = Field(default="USD", pattern=r"^[A-Z]{3}$")
    when: Mapping[str, Any] = {}

    def holds(self, facets: Facets) -> bool:
        return all(facets.get(name) == value for name, value in self.when.items())


class Model(BaseModel):
    """One model of one vendor, under the `name` it has in settings.

    `inputs` says what the vendor calls our fields, `formats` how a value is written (`{}s`), `fixed` what
    goes along with every request. `limit` is how many the account may have at work at once, `poll` seconds
    to the first look, `settle` seconds after which what is not found was not accepted.
    """

    model_config = ConfigDict(frozen=True, extra="forbid")

    name: str
    kind: Kind
    as_of: date
    prices: Sequence[Price] = ()
    seconds: Sequence[float] = ()
    shortest: float | None = None
    longest: float | None = None
    aspects: Sequence[str] = ()
    resolutions: Sequence[str] = ()
    last_frame: bool = False
    audio: bool = False
    seed: bool = False
    negative_prompt: bool = False
    vocals: bool = False
    speed: bool = False
    language: bool = False
    instructions: bool = False
    context: bool = False
    pictures: int = 0
    characters: int | None = None
    tokens_a_picture: int = 2000
    inputs: Mapping[str, str] = {}
    formats: Mapping[str, str] = {}
    fixed: Mapping[str, Any] = {}
    ratios: Mapping[str, str] = {}
    limit: int | None = Field(default=None, ge=1)
    poll: float = Field(default=5.0, ge=0)
    settle: float | None = Field(default=None, ge=0)

    @property
    def vendor(self) -> str:
        return self.name.partition(":")[0]

    @property
    def id(self) -> str:
        """What the vendor calls it."""
        return self.name.partition(":")[2]

    @property
    def poll_after(self) -> timedelta:
        return timedelta(seconds=self.poll)

    def length(self, seconds: float) -> float:
        """The shortest clip it makes that is no shorter than this, or else its longest."""
        if self.seconds:
            return min((s for s in self.seconds if s >= seconds), default=max(self.seconds))
        return min(max(seconds, self.shortest or 0.0), self.longest or seconds)

    def lengths(self) -> str:
        """How long what it makes is, in words."""
        if self.seconds:
            return f"{', '.join(f'{s:g}' for s in self.seconds)} s"
        return f"{self.shortest or 0:g} to {self.longest:g} s" if self.longest else "any length"

    def cost(self, units: Mapping[str, Decimal | int | float], facets: Facets) -> Money:
        """What so many units cost. `Unsupported` if there is no price for a request like this."""
        rows = [price for price in self.prices if price.holds(facets)]
        best = {row.per: row for row in sorted(rows, key=lambda row: len(row.when))}
        if not best:
            said = ", ".join(f"{name} {value}" for name, value in sorted(facets.items()))
            raise Unsupported(
                f"{self.name} has no price{f' for {said}' if said else ''}: add one to {OWN} in the home"
            )
        sums = [Money.of(row.amount * Decimal(str(units[row.per])), row.currency) for row in best.values()]
        return sum(sums[1:], sums[0])


class Catalog:
    """All models that may be used, by name; `vendor:*` stands for all of a vendor's."""

    def __init__(self, models: Mapping[str, Mapping[str, Any]], *, source: str = OWN) -> None:
        self._models, self._source = dict(models), source

    @classmethod
    def load(cls, own: Path | None = None) -> Catalog:
        """What comes with genlock, with the user's file on top. `BadInput` if that cannot be read."""
        models = {name: dict(fields) for name, fields in _built_in().items()}
        if own is not None and own.is_file():
            for name, fields in _read(own.read_bytes(), str(own)).items():
                models[name] = {**models.get(name, {}), **fields}
        return cls(models, source=str(own or OWN))

    def names(self, kind: Kind | None = None) -> list[str]:
        """All of them, or those of a kind."""
        return sorted(n for n, f in self._models.items() if kind is None or f.get("kind") == kind)

    def get(self, name: str, kind: Kind | None = None) -> Model:
        """The model of this name. `Unsupported` says how to add one that is not there."""
        vendor = name.partition(":")[0]
        fields = self._models.get(name) or self._models.get(f"{vendor}:*")
        if fields is None or (kind is not None and fields.get("kind") != kind):
            known = [n for n in self.names(kind) if n.startswith(f"{vendor}:")] or self.names(kind)
            raise Unsupported(
                f"{name} is not among the {kind or ''} models whose abilities and prices are known "
                f'({", ".join(known)}): add [models."{name}"] to {self._source}'
            )
        try:
            return Model.model_validate({**fields, "name": name})
        except ValidationError as error:
            first = error.errors()[0]
            where = ".".join(map(str, first["loc"]))
            raise BadInput(f'{self._source}: [models."{name}"] {where}: {first["msg"]}') from error


@cache
def _built_in() -> Mapping[str, Mapping[str, Any]]:
    return _read(files("genlock.providers").joinpath(OWN).read_bytes(), OWN)


def _read(text: bytes, source: str) -> Mapping[str, Mapping[str, Any]]:
    try:
        tables = tomllib.loads(text.decode()).get("models", {})
    except (tomllib.TOMLDecodeError, UnicodeDecodeError) as error:
        raise BadInput(f"{source} is no TOML: {error}") from error
    if not isinstance(tables, dict) or not all(isinstance(table, dict) for table in tables.values()):
        raise BadInput(f'{source}: every model is a table, as in [models."vendor:model"]')
    return tables
