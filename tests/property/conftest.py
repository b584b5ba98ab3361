"""How many histories are tried: the same few each time, or with `--prove` many new ones."""

from __future__ import annotations

import pytest
from hypothesis import HealthCheck, settings

_QUIET = (HealthCheck.too_slow, HealthCheck.data_too_large, HealthCheck.filter_too_much)

settings.register_profile(
    "same",
    deadline=None,
    derandomize=True,
    database=None,
    print_blob=True,
    suppress_health_check=_QUIET,
)
settings.register_profile("prove", deadline=None, print_blob=True, suppress_health_check=_QUIET)


@pytest.fixture
def profile(prove: bool) -> settings:
    """The settings of this run; tests add how many examples they can afford."""
    return settings.get_profile("prove" if prove else "same")
