"""Why two pictures make a pair, in words taken from what was measured on them."""

from __future__ import annotations

from genlock.media.pairing.kinship import Geometry, Kinship
from genlock.media.pairing.portrait import Portrait


def explain(kinship: Kinship, first: Portrait, last: Portrait, *, forward: bool) -> str:
    """A sentence for people; `forward` says that the geometry maps `first` onto `last`, not the reverse."""
    clauses = [_scene(kinship, forward=forward), _colours(kinship), _light(first, last)]
    if kinship.geometry is None:
        clauses.append(_layout(kinship))
    return "; ".join(clause for clause in clauses if clause)


def _scene(kinship: Kinship, *, forward: bool) -> str:
    geometry = kinship.geometry
    if kinship.copies:
        return "the same picture twice: there was no better partner"
    if geometry is None or geometry.certainty < 0.3:
        return "two different scenes"
    sure = "same scene" if geometry.certainty > 0.8 else "probably the same scene"
    return f"{sure} {_view(geometry, forward=forward)}: {geometry.points} matching points"


def _view(geometry: Geometry, *, forward: bool) -> str:
    scale = geometry.scale if forward else 1 / geometry.scale
    parts = []
    if scale > 1.08:
        parts.append(f"seen closer ({scale:.1f}×)")
    elif scale < 1 / 1.08:
        parts.append(f"seen from further away ({1 / scale:.1f}×)")
    if geometry.turn >= 4:
        parts.append(f"turned by {geometry.turn:.0f}°")
    if not parts:
        parts.append("from another side" if geometry.shift > 0.05 else "from nearly the same place")
    return " and ".join(parts)


def _colours(kinship: Kinship) -> str:
    if kinship.colours > 0.85:
        return "colours nearly alike"
    if kinship.colours > 0.6:
        return "colours related"
    return "colours in contrast" if kinship.colours < 0.35 else "some colours in common"


def _light(first: Portrait, last: Portrait) -> str:
    step = last.brightness - first.brightness
    if abs(step) < 5:
        return (
            "both bright"
            if first.brightness > 62
            else "both dark"
            if first.brightness < 35
            else "light alike"
        )
    return f"it gets {'brighter' if step > 0 else 'darker'} by {abs(step):.0f} of 100"


def _layout(kinship: Kinship) -> str:
    return (
        "laid out alike" if kinship.layout > 0.75 else "laid out differently" if kinship.layout < 0.5 else ""
    )
