"""How much one request may bring."""

from __future__ import annotations

from dataclasses import dataclass

from genlock.settings import Settings


@dataclass(frozen=True, slots=True)
class Limits:
    """What one form may bring: files, bytes of one and of all, and seconds that it may take to come."""

    files: int
    largest: int
    total: int
    seconds: float

    @classmethod
    def of(cls, settings: Settings) -> Limits:
        """As the settings have it."""
        return cls(
            settings.upload_files,
            settings.upload_mb << 20,
            settings.upload_total_mb << 20,
            settings.upload_time.total_seconds(),
        )
