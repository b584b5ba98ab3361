"""Settings come from the environment, and what does not fit is named."""

from __future__ import annotations

from datetime import timedelta
from pathlib import Path

import pytest

from genlock.errors import BadInput
from genlock.settings import load_settings


@pytest.mark.parametrize(
    ("text", "span"), [("90", 90), ("0.5", 0.5), ("PT2H", 7200), ("00:01:30", 90)], ids=lambda v: str(v)
)
def test_spans_are_seconds_or_iso_8601(monkeypatch, text, span):
    monkeypatch.setenv("GENLOCK_DEADLINE", text)
    assert load_settings().deadline == timedelta(seconds=span)


def test_everything_lives_in_the_home(monkeypatch, tmp_path):
    monkeypatch.setenv("GENLOCK_HOME", str(tmp_path))
    settings = load_settings()
    places = [settings.database, settings.store, settings.lock, settings.socket, settings.work, settings.logs]
    assert all(Path(place).is_relative_to(tmp_path) for place in places)


@pytest.mark.parametrize(("name", "text"), [("CPU", "none"), ("DEADLINE", "-3"), ("DISK_RESERVE", "2")])
def test_what_does_not_fit_is_named_with_its_variable(monkeypatch, name, text):
    monkeypatch.setenv(f"GENLOCK_{name}", text)
    with pytest.raises(BadInput, match=f"GENLOCK_{name}"):
        load_settings()


def test_what_is_handed_in_wins(monkeypatch):
    monkeypatch.setenv("GENLOCK_CPU", "3")
    assert load_settings(cpu=1).cpu == 1
