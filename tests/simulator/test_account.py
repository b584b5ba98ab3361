"""Settings that lead genlock to simulated vendors: every adapter there is finds its own."""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path

import pytest

from genlock.clock import SystemClock
from genlock.providers.registry import VENDORS, Providers
from genlock.settings import Settings
from genlock.store.local import LocalStore
from genlock.testing.simulator import Simulator

MODELS = [
    "kling:kling-v2-1",
    "replicate:google/veo-3.1",
    "fal:fal-ai/veo3.1/first-last-frame-to-video",
    "runway:gen4_turbo",
    "luma:ray-2",
    "google:veo-3.1-generate-preview",
    "vertex:veo-3.1-generate-001",
    "elevenlabs:music_v1",
    "openai:gpt-4.1-mini",
    "xai:grok-4.3",
    "ollama:llama",
    "vllm:llama",
    "server:kokoro",
]


def test_every_vendor_of_genlock_is_simulated(sim: Simulator) -> None:
    fields = set(sim.settings())
    assert fields <= set(Settings.model_fields)
    for vendor, known in VENDORS.items():
        assert {f"{vendor}_url", *known.keys} <= fields, vendor
    assert {model.partition(":")[0] for model in MODELS} == set(VENDORS)


@pytest.mark.parametrize("model", MODELS)
async def test_every_key_works_where_the_settings_lead(sim: Simulator, tmp_path: Path, model: str) -> None:
    settings = Settings(home=tmp_path, **sim.settings())
    providers = Providers(settings, LocalStore(tmp_path / "store"), SystemClock())
    try:
        assert await providers.adapter(model).probe()
    finally:
        await providers.close()
    assert all(receipt.status == 200 for receipt in sim.requests())
    assert sim.charges() == []


def test_the_environment_leads_a_process_to_the_same_place(sim: Simulator) -> None:
    code = "from genlock.settings import Settings; s = Settings()\n"
    code += "print(s.kling_url, s.fal_key.get_secret_value())"
    run = subprocess.run(
        [sys.executable, "-c", code],
        env={**os.environ, **sim.environment()},
        capture_output=True,
        text=True,
        check=True,
        timeout=60,
    )
    assert run.stdout.split() == [sim.address("kling"), sim.key("fal")]
