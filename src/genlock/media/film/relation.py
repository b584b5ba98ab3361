"""Measuring how the pictures of a film follow each other; in rendering children only."""

from __future__ import annotations

from functools import lru_cache
from pathlib import Path

import cv2
import numpy as np

from genlock.errors import BadPicture
from genlock.media.film.encode import Plane
from genlock.media.film.flow import find_flow, grey, refined, small
from genlock.media.film.link import Link, LinkPictures, Links
from genlock.media.film.route import IDENTITY, Mapping
from genlock.media.operation import Progress, operation
from genlock.media.pairing.kinship import Kinship, compare
from genlock.media.pairing.portrait import FEATURES, portray

_LAID_OUT_ALIKE = 0.85  # without this or points that match, no flow leads from one picture to the other
_ALMOST = 0.35  # of agreement: correcting the mapping may still bring it over the bar


@operation("link_pictures")
def link_pictures(request: LinkPictures, progress: Progress) -> Links:
    """A link for each step; every picture is decoded once while its neighbours are looked at."""
    links = []
    for done, (first, last) in enumerate(request.steps, start=1):
        links.append(_link(*((request.pictures[sha256], sha256) for sha256 in (first, last))))
        progress(done / len(request.steps), f"compared {done} of {len(request.steps)} pictures that meet")
    return Links(links=links)


def _link(first: tuple[Path, str], last: tuple[Path, str]) -> Link:
    one, other = portray(*first, FEATURES), portray(*last, FEATURES)  # as when pairs were chosen
    kinship = compare(one, other)
    agreement, mapping = (0.0, None) if first == last else _agreed(first[0], last[0], kinship)
    return Link(
        agreement=round(agreement, 4),
        mapping=mapping,
        light=round(other.brightness - one.brightness, 3),
        colours=round(kinship.colours, 4),
        layout=round(kinship.layout, 4),
    )


def _agreed(first: Path, last: Path, kinship: Kinship) -> tuple[float, Mapping | None]:
    """How far the flow agrees, and the mapping by which it does so most."""
    if kinship.geometry is None and kinship.layout < _LAID_OUT_ALIKE:
        return 0.0, None
    mapping: Mapping = kinship.geometry.matrix if kinship.geometry else IDENTITY  # type: ignore[assignment]
    here, there = _view(first), _view(last)
    flow = find_flow(here, there, mapping)
    if flow.agreement < (_ALMOST if kinship.geometry else 2 * _ALMOST):
        return flow.agreement, None
    mapping = refined(mapping, flow, here, there)
    return max(flow.agreement, find_flow(here, there, mapping).agreement), mapping


@lru_cache(maxsize=4)
def _view(path: Path) -> Plane:
    image = cv2.imread(str(path), cv2.IMREAD_REDUCED_COLOR_2 | cv2.IMREAD_IGNORE_ORIENTATION)
    if image is None:
        raise BadPicture(f"{path.name} cannot be read as a picture")
    return grey(small(np.asarray(image, np.uint8)))
