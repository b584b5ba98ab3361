"""Where a proof buys: one vendor for each policy, all of them simulated, at the prices the catalog says."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import timedelta
from typing import TYPE_CHECKING, Any

from genlock.errors import BadInput
from genlock.paid import Policy
from genlock.settings import Accounts
from genlock.testing.simulator import Rate

if TYPE_CHECKING:
    from genlock.testing.simulator import SimulatorProcess

VIDEO = {
    Policy.IDEMPOTENT: "kling:kling-v2-1",
    Policy.FINDABLE: "replicate:google/veo-3.1",
    Policy.BLIND: "runway:gen3a_turbo",
}
LAG = 60.0  # seconds after which a vendor's list shows what it accepted, as its settle window allows for
SLOW_LAG = 3600.0  # ... of one whose settle window was set to less
LONG = timedelta(days=30)


@dataclass(frozen=True)
class Stand:
    """How the vendors behave, and what a home is told of them. `settle_window` None: the adapters' own."""

    policy: Policy
    concurrency: int = 1
    cpu: int = 1
    settle_window: float | None = None
    tuning: Mapping[str, Any] = field(default_factory=dict)

    @classmethod
    def of(cls, word: str, *, settle_window: float | None = None) -> Stand:
        """By the policy's name. `BadInput` if it is none that can be proved."""
        if word not in set(VIDEO):
            raise BadInput(f"{word!r} is no policy to prove: use {', '.join(VIDEO)}")
        hasty = settle_window is not None and settle_window < LAG
        tuning = {"work": 1.0, "lag": SLOW_LAG if hasty else LAG}
        return cls(Policy(word), settle_window=settle_window, tuning=tuning)

    @property
    def model(self) -> str:
        """Vendor and model of the clips."""
        return VIDEO[self.policy]

    @property
    def rates(self) -> Mapping[str, Rate]:
        """What the simulated vendor charges: what the catalog says, for the ledger counts by that."""
        from genlock.providers.catalog import Catalog

        model = Catalog.load().get(self.model)
        price = model.cost({"second": 1}, {"audio": False})
        return {self.model: Rate(second=price.micros)}

    def settings(self, vendors: SimulatorProcess) -> Mapping[str, Any]:
        """Settings that lead every vendor to the simulator, and let nothing end by the clock."""
        from genlock.testing.simulator.server import VENDORS
        from genlock.testing.simulator.vendors.kling import ACCESS_KEY

        known = Accounts.model_fields
        found: dict[str, Any] = {name: vendors.url for name in known if name.endswith("_url")}
        for vendor in (kind.name for kind in VENDORS):
            address, key = vendors.address(vendor), vendors.key(vendor)
            found |= {name: address for name in (f"{vendor}_url", f"{vendor}_platform_url") if name in known}
            found |= {name: key for name in (f"{vendor}_key", f"{vendor}_secret_key") if name in known}
        found |= {"kling_access_key": ACCESS_KEY, "public_url": None}
        if self.settle_window is not None:
            found["settle_window"] = timedelta(seconds=self.settle_window)
        return {
            **found,
            "video": self.model,
            "cpu": self.cpu,
            "concurrency": self.concurrency,
            "deadline": LONG,
            "attempt_timeout": LONG,
            "child_stall": LONG,
            "reclaims": 1000,
            "disk_reserve": 0.0,
        }
