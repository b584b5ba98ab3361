"""The page of settings is written from their definitions, and is current."""

from __future__ import annotations

import importlib.util
import re
from pathlib import Path
from types import ModuleType

import pytest

from genlock.settings import Settings, load_settings, variable_of

ROOT = Path(__file__).resolve().parents[2]


@pytest.fixture(scope="module")
def script() -> ModuleType:
    spec = importlib.util.spec_from_file_location("settings_script", ROOT / "scripts" / "settings.py")
    assert spec is not None
    assert spec.loader is not None
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return module


def test_every_setting_says_what_it_is() -> None:
    assert [name for name, field in Settings.model_fields.items() if not field.description] == []


def test_the_page_and_the_example_are_current(script: ModuleType) -> None:
    assert script.DOCUMENT.read_text(encoding="utf-8") == script.document(), "run `make settings`"
    assert script.EXAMPLE.read_text(encoding="utf-8") == script.example(), "run `make settings`"


def test_the_page_has_every_setting_once(script: ModuleType) -> None:
    named = re.findall(r"^\| `([A-Z0-9_]+)` \|", script.document(), flags=re.MULTILINE)
    assert sorted(named) == sorted(variable_of(name) for name in Settings.model_fields)


def test_the_defaults_of_the_example_are_the_defaults(
    script: ModuleType, monkeypatch: pytest.MonkeyPatch
) -> None:
    bare = load_settings()
    for line in script.EXAMPLE.read_text(encoding="utf-8").splitlines():
        if line.startswith("#") and "=" in line and not line.startswith("# "):
            name, _, value = line[1:].partition("=")
            monkeypatch.setenv(name, value)
    assert load_settings() == bare
