"""Jobs and calls go by any beginning or end of their names that is one's alone."""

from __future__ import annotations

import pytest

from genlock.engine.lookup import only
from genlock.errors import NotFound

NAMES = ["film-aa-1", "film-ab-2", "film-ab-3"]


def find(typed: str) -> str:
    return only(NAMES, typed, str, called="job")


@pytest.mark.parametrize(("typed", "name"), [("film-aa", NAMES[0]), ("-2", NAMES[1]), (NAMES[2], NAMES[2])])
def test_a_part_that_fits_one_is_enough(typed: str, name: str) -> None:
    assert find(typed) == name


def test_a_part_that_fits_several_names_two_of_them() -> None:
    with pytest.raises(NotFound, match="'film-ab' fits 2 jobs, such as film-ab-2 and film-ab-3: add letters"):
        find("film-ab")


def test_a_part_that_fits_none_says_where_they_are_listed() -> None:
    with pytest.raises(NotFound, match="there is no job 'b'; `genlock jobs` lists them"):
        find("b")
