"""What a simulator can be asked and told, wherever it runs."""

from __future__ import annotations

import json
from abc import ABC, abstractmethod
from collections.abc import Mapping
from typing import Any

from genlock.money import Money
from genlock.testing.simulator.account import settings_for
from genlock.testing.simulator.book import Charge, Receipt, Report, by_input, by_key
from genlock.testing.simulator.fault import Fault
from genlock.testing.simulator.price import Rate


class Face(ABC):
    """The same for a simulator in this process and for one in a process of its own."""

    url: str

    @abstractmethod
    def _ask(self, method: str, path: str, body: Any = None) -> Any:
        """What the desk says."""

    # Where it is

    def address(self, vendor: str) -> str:
        """What stands for the vendor's host: its paths follow as its own documents have them."""
        return str(self._ask("GET", "/_")["vendors"][vendor])

    def key(self, vendor: str) -> str:
        """The API key that the vendor takes; of Kling, the secret."""
        return str(self._ask("GET", "/_")["keys"][vendor])

    def settings(self) -> dict[str, str]:
        """What leads genlock here: `Settings(**vendors.settings(), video="kling:kling-v2-1")`."""
        found = self._ask("GET", "/_")
        return settings_for(found["vendors"], found["keys"])

    def environment(self) -> dict[str, str]:
        """The same as variables for a process of genlock's."""
        from genlock.settings import variable_of

        return {variable_of(name): text for name, text in self.settings().items()}

    # What happened

    def requests(self, vendor: str | None = None) -> list[Receipt]:
        """Every request, in order."""
        rows = self._ask("GET", "/_book")["requests"]
        return [Receipt(**row) for row in rows if vendor in (None, row["vendor"])]

    def charges(self, vendor: str | None = None) -> list[Charge]:
        """Every acceptance, in order, those whose money was returned included."""
        rows = self._ask("GET", "/_book")["charges"]
        return [Charge(**row) for row in rows if vendor in (None, row["vendor"])]

    def reports(self, vendor: str | None = None) -> list[Report]:
        """Every report to a webhook that was sent or should have been."""
        rows = self._ask("GET", "/_book")["reports"]
        return [Report(**row) for row in rows if vendor in (None, row["vendor"])]

    def charges_by_input(self) -> dict[str, list[Charge]]:
        """Charges by what was asked for, whatever key it came under."""
        return by_input(self.charges())

    def charges_by_key(self) -> dict[str, list[Charge]]:
        """Charges by our key, of those in which it was found."""
        return by_key(self.charges())

    def charged_twice(self) -> list[list[Charge]]:
        """The logical calls that were charged more than once, by their key or by their input."""
        found = [*self.charges_by_input().values()]
        found += [charges for charges in self.charges_by_key().values() if charges not in found]
        return [charges for charges in found if len(charges) > 1]

    def spent(self, vendor: str | None = None) -> Money:
        """What is owed, without what was returned."""
        return Money(sum(charge.amount for charge in self.charges(vendor) if not charge.returned))

    # How it behaves

    def misbehave(self, *faults: Fault) -> None:
        """Set faults, which begin to count now. `BadInput` for a vendor that is not there."""
        self._ask("POST", "/_misbehave", [fault.written() for fault in faults])

    def behave(self) -> None:
        """Forget all faults."""
        self._ask("DELETE", "/_misbehave")

    def reset(self) -> None:
        """Forget all that happened and all faults; prices, paces and time stay as they are."""
        self._ask("POST", "/_reset")

    def shut(self, seconds: float) -> None:
        """Refuse connections for so long by the machine's clock."""
        self._ask("POST", "/_shut", {"seconds": seconds})

    def say(self, answer: str | Mapping[str, Any] | list[Any], *, where: str = "") -> None:
        """Let language models answer this, or this as JSON, to requests with `where` in them."""
        text = answer if isinstance(answer, str) else json.dumps(answer, ensure_ascii=False)
        self._ask("POST", "/_say", {"text": text, "where": where})

    # Time and money

    def now(self) -> float:
        """The vendors' time, in seconds since 1970."""
        return float(self._ask("GET", "/_clock")["now"])

    def advance(self, seconds: float) -> None:
        """Let so much of the vendors' time pass at once."""
        self._ask("POST", "/_clock", {"advance": seconds})

    def set_clock(self, *, at: float | None = None, scale: float | None = None) -> None:
        """Go on from another time, or with `scale` seconds of it in one of the machine's; 0 stands still."""
        given = {"at": at, "scale": scale}
        self._ask("POST", "/_clock", {name: value for name, value in given.items() if value is not None})

    def tune(self, **settings: Any) -> None:
        """Set `queue`, `work` and `lag` (seconds before a job begins, until it is done, until it is listed),
        `slots` by vendor, and how small media is: `width`, `frames`, `fps`, `music`.
        """
        self._ask("POST", "/_tune", settings)

    def price(self, name: str, rate: Rate) -> None:
        """Let a `vendor` or a `vendor:model` charge this much."""
        self._ask("POST", "/_prices", {name: rate.written()})

    def fund(self, vendor: str, money: Money | None) -> None:
        """Put this much into a vendor's account and no more; None makes it bottomless, as it is at first."""
        self._ask("POST", "/_credit", {vendor: None if money is None else money.micros})
