"""Which settings lead genlock to simulated vendors instead of real ones."""

from __future__ import annotations

from collections.abc import Mapping

from genlock.testing.simulator.vendors.kling import ACCESS_KEY
from genlock.testing.simulator.vendors.replicate import WEBHOOK_SECRET

# What is called otherwise in the settings, or is one vendor's at several hosts.
_ALSO = {
    "fal_platform": "fal",
    "vertex": "google",
    "storage": "google",
    "ollama": "openai",
    "vllm": "openai",
    "server": "openai",
}
_WITHOUT_KEY = frozenset({"kling", "fal_platform", "vertex", "storage"})
_KEYS = {"kling_secret_key": "kling", "vertex_token": "google"}
_PLAIN = {
    "kling_access_key": ACCESS_KEY,
    "replicate_webhook_secret": WEBHOOK_SECRET,
    "vertex_project": "simulated",
    "vertex_bucket": "simulated",
}


def settings_for(addresses: Mapping[str, str], keys: Mapping[str, str]) -> dict[str, str]:
    """Fields of the settings by name: every vendor's address and key, by the vendors' own of both."""
    known = {name: name for name in addresses} | _ALSO
    urls = {f"{name}_url": addresses[vendor] for name, vendor in known.items()}
    named = {f"{name}_key": keys[vendor] for name, vendor in known.items() if name not in _WITHOUT_KEY}
    return urls | named | {name: keys[vendor] for name, vendor in _KEYS.items()} | _PLAIN
