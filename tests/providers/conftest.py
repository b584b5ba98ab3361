"""Adapters against simulated vendors, which are real servers; a store with real pictures in it."""

from __future__ import annotations

from collections.abc import AsyncIterator, Callable, Iterator
from datetime import timedelta
from pathlib import Path
from typing import Any

import pytest

from genlock.clock import SystemClock
from genlock.paid import Sending
from genlock.providers.registry import Providers
from genlock.settings import Settings
from genlock.store.artifact import Artifact
from genlock.store.local import LocalStore
from genlock.testing.simulator import Simulator
from genlock.testing.simulator.vendors.kling import ACCESS_KEY

KEYS = {
    "kling_secret_key": "kling",
    "replicate_key": "replicate",
    "runway_key": "runway",
    "luma_key": "luma",
    "fal_key": "fal",
    "google_key": "google",
    "vertex_token": "google",
    "elevenlabs_key": "elevenlabs",
    "xai_key": "xai",
    "openai_key": "openai",
}
URLS = {name: name for name in ("kling", "replicate", "runway", "luma", "fal", "google", "elevenlabs", "xai")}
URLS |= {"openai": "openai", "fal_platform": "fal", "vertex": "google", "storage": "google"}


@pytest.fixture(scope="session")
def simulator() -> Iterator[Simulator]:
    with Simulator(work=0.2, width=64, frames=6, fps=12, music=0.5) as vendors:
        yield vendors


@pytest.fixture
def vendors(simulator: Simulator) -> Simulator:
    simulator.reset()
    return simulator


@pytest.fixture
async def store(tmp_path: Path) -> LocalStore:
    return LocalStore(tmp_path / "store")


@pytest.fixture(scope="session")
def small(tmp_path_factory: pytest.TempPathFactory) -> list[Path]:
    """Two small pictures."""
    from PIL import Image

    made = [tmp_path_factory.mktemp("small") / f"{name}.jpg" for name in ("first", "last")]
    for path, colour in zip(made, ((200, 120, 40), (30, 90, 160)), strict=True):
        Image.new("RGB", (160, 90), colour).save(path)
    return made


@pytest.fixture
async def pictures(store: LocalStore, small: list[Path]) -> list[Artifact]:
    """Two small pictures, in the store."""
    return [await store.put(path, "image/jpeg") for path in small]


@pytest.fixture
def settings(vendors: Simulator, tmp_path: Path) -> Callable[..., Settings]:
    """Settings with an account at every simulated vendor."""

    def make(**more: Any) -> Settings:
        given: dict[str, Any] = {field: vendors.key(vendor) for field, vendor in KEYS.items()}
        given |= {f"{field}_url": vendors.address(vendor) for field, vendor in URLS.items()}
        given |= {"kling_access_key": ACCESS_KEY, "vertex_project": "films", "vertex_bucket": "gs://bucket"}
        return Settings(**{"home": tmp_path / "home", **given, **more})

    return make


@pytest.fixture
async def providers(
    settings: Callable[..., Settings], store: LocalStore
) -> AsyncIterator[Callable[..., Providers]]:
    """Providers by these settings, closed in the end."""
    opened: list[Providers] = []

    def make(**more: Any) -> Providers:
        opened.append(Providers(settings(**more), store, SystemClock()))
        return opened[-1]

    yield make
    for each in opened:
        await each.close()


@pytest.fixture
def sending() -> Callable[..., Sending]:
    """A sending that was intended a moment ago, under a key of its own for each number."""

    def make(number: int = 1, **more: Any) -> Sending:
        since = SystemClock().now() - timedelta(milliseconds=20)
        return Sending(f"gl_{number:026d}", since, **more)

    return make
