"""Where the boxes of a layered drawing go: columns from left to right, few crossings, short edges.

The method is Sugiyama's: layers by longest path, lanes for edges that pass a layer, an order within
each layer by the mean of the neighbours, and heights that keep that order while pulling edges straight.
All lengths are in the unit of the sizes handed in.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from itertools import pairwise

_SWEEPS = 12
_SLACK = 0.0001  # the stiffness of what may well bend

Cell = tuple[str, int]  # a box at its layer, or the lane of its edges through a later layer
Arrow = tuple[str, str]


@dataclass(frozen=True, slots=True)
class Place:
    """A box: its left and right side, its middle line, its height."""

    left: float
    right: float
    middle: float
    height: float


@dataclass(frozen=True, slots=True)
class Layout:
    """`boxes` by name; `routes` by edge: the lanes it runs through from left to right."""

    boxes: dict[str, Place]
    routes: dict[Arrow, list[Place]]
    width: float
    height: float


@dataclass(slots=True)
class _Grid:
    """Layers of cells, and which cells of neighbouring layers are linked, how stiffly."""

    layers: list[list[Cell]]
    before: dict[Cell, dict[Cell, float]] = field(default_factory=dict)
    after: dict[Cell, dict[Cell, float]] = field(default_factory=dict)

    def link(self, left: Cell, right: Cell, stiffness: float) -> None:
        self.after.setdefault(left, {})[right] = stiffness
        self.before.setdefault(right, {})[left] = stiffness

    def weight(self, cell: Cell) -> float:
        """How much a cell's own wish counts in its layer: what the work runs through goes straight."""
        return max([*self.before.get(cell, {}).values(), *self.after.get(cell, {}).values()], default=_SLACK)


def arrange(
    sizes: Mapping[str, tuple[float, float]], arrows: Mapping[Arrow, float], *, gap: tuple[float, float]
) -> Layout:
    """Place boxes of these sizes (width, height); `gap` is the least distance across and down.

    Boxes come in an order in which each arrow leads from an earlier to a later one; an arrow's number,
    0..1, says how straight it should be. All boxes of a column get the width of its widest.
    """
    layer = _layers(sizes, arrows)
    grid = _grid(layer, arrows)
    _order(grid)
    heights = {(name, at): sizes[name][1] for name, at in layer.items()}
    middles = _middles(grid, heights, gap[1])
    columns = _columns(grid, {cell: sizes[cell[0]][0] for cell in heights}, gap[0])
    places = {
        cell: Place(*columns[cell[1]], middles[cell], heights.get(cell, 0.0))
        for row in grid.layers
        for cell in row
    }
    return Layout(
        boxes={name: places[name, at] for name, at in layer.items()},
        routes={
            (up, down): [places[up, at] for at in range(layer[up] + 1, layer[down])] for up, down in arrows
        },
        width=max((right for _, right in columns), default=0.0),
        height=max((place.middle + place.height / 2 for place in places.values()), default=0.0),
    )


def _layers(names: Mapping[str, object], arrows: Iterable[Arrow]) -> dict[str, int]:
    layer: dict[str, int] = {}
    for name in names:
        layer[name] = max((layer[up] + 1 for up, down in arrows if down == name), default=0)
    return layer


def _grid(layer: Mapping[str, int], arrows: Mapping[Arrow, float]) -> _Grid:
    """Arrows from one box share a lane through each layer they pass."""
    grid = _Grid([[] for _ in range(max(layer.values(), default=-1) + 1)])
    reach = {
        name: max((layer[down] for up, down in arrows if up == name), default=at)
        for name, at in layer.items()
    }
    for name, at in layer.items():
        grid.layers[at].append((name, at))
        for lane in range(at + 1, reach[name]):
            grid.layers[lane].append((name, lane))
    for (up, down), straight in arrows.items():
        for at in range(layer[up], layer[down] - 1):
            grid.link((up, at), (up, at + 1), _SLACK)
        near = layer[down] - layer[up] == 1
        grid.link((up, layer[down] - 1), (down, layer[down]), max(straight, _SLACK) if near else _SLACK)
    return grid


def _order(grid: _Grid) -> None:
    """Sort each layer by the mean position of its neighbours, there and back; keep the best order seen."""
    best, fewest = [list(row) for row in grid.layers], _crossings(grid)
    for sweep in range(_SWEEPS):
        forward = sweep % 2 == 0
        near = grid.before if forward else grid.after
        layers = grid.layers if forward else grid.layers[::-1]
        for fixed, row in pairwise(layers):
            at = {cell: index for index, cell in enumerate(fixed)}
            mean = {
                cell: _mean([at[each] for each in near.get(cell, [])], index)
                for index, cell in enumerate(row)
            }
            row.sort(key=mean.__getitem__)
        if (now := _crossings(grid)) < fewest:
            best, fewest = [list(row) for row in grid.layers], now
    grid.layers = best


def _crossings(grid: _Grid) -> int:
    total = 0
    for left, right in pairwise(grid.layers):
        at = {cell: index for index, cell in enumerate(right)}
        ends = [sorted(at[each] for each in grid.after.get(cell, [])) for cell in left]
        flat = [end for each in ends for end in each]
        total += sum(later < earlier for i, earlier in enumerate(flat) for later in flat[i + 1 :])
    return total


def _middles(grid: _Grid, heights: Mapping[Cell, float], gap: float) -> dict[Cell, float]:
    """Middle lines that keep each layer's order and are as near to their neighbours' as that allows.

    Sweeps there and back find the heights; one more to the right straightens what it can.
    """
    middle = {cell: 0.0 for row in grid.layers for cell in row}
    for sweep in range(2 * _SWEEPS):
        for row in grid.layers if sweep % 2 == 0 else grid.layers[::-1]:
            _settle(grid, row, middle, heights, gap, both=True)
    for row in grid.layers[1:]:
        _settle(grid, row, middle, heights, gap, both=False)
    top = min((at - heights.get(cell, 0.0) / 2 for cell, at in middle.items()), default=0.0)
    return {cell: round(at - top + 0.1) for cell, at in middle.items()}  # halves, all but equal, go one way


def _settle(
    grid: _Grid,
    row: list[Cell],
    middle: dict[Cell, float],
    heights: Mapping[Cell, float],
    gap: float,
    *,
    both: bool,
) -> None:
    """Move the cells of one layer towards what they are linked with, on both sides or to the left alone."""
    wish = []
    for cell in row:
        links = [*grid.before.get(cell, {}).items(), *(grid.after.get(cell, {}).items() if both else ())]
        total = sum(stiffness for _, stiffness in links)
        wish.append(
            sum(middle[each] * stiffness for each, stiffness in links) / total if links else middle[cell]
        )
    need = [(heights.get(a, 0.0) + heights.get(b, 0.0)) / 2 + gap for a, b in pairwise(row)]
    middle |= dict(zip(row, _spaced(wish, need, [grid.weight(cell) for cell in row]), strict=True))


def _spaced(wish: Sequence[float], need: Sequence[float], weights: Sequence[float]) -> list[float]:
    """The heights nearest to the wished ones (weighted least squares) that lie at least `need` apart.

    Without the distances this is isotonic regression, which pooling neighbours solves exactly.
    """
    offsets = [0.0]
    for distance in need:
        offsets.append(offsets[-1] + distance)
    pools: list[tuple[float, float, int]] = []  # mean, weight, size
    for target, offset, own in zip(wish, offsets, weights, strict=True):
        mean, weight, size = target - offset, own, 1
        while pools and pools[-1][0] > mean:
            other, heavy, count = pools.pop()
            mean = (mean * weight + other * heavy) / (weight + heavy)
            weight, size = weight + heavy, size + count
        pools.append((mean, weight, size))
    flat = [mean for mean, _, size in pools for _ in range(size)]
    return [mean + offset for mean, offset in zip(flat, offsets, strict=True)]


def _columns(grid: _Grid, widths: Mapping[Cell, float], gap: float) -> list[tuple[float, float]]:
    columns, left = [], 0.0
    for row in grid.layers:
        right = left + max(widths.get(cell, 0.0) for cell in row)
        columns.append((left, right))
        left = right + gap
    return columns


def _mean(values: Sequence[float], otherwise: float) -> float:
    return sum(values) / len(values) if values else otherwise
