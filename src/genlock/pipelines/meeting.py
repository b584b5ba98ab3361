"""How the pictures of a film that follow each other are related."""

from __future__ import annotations

import asyncio

from genlock.engine.task import Task
from genlock.media.film.link import Link, LinkPictures
from genlock.media.film.plan import Picture, meetings
from genlock.pipelines.models import Pair
from genlock.pipelines.studio import Studio

ALONE = 16  # pictures one process compares sooner alone, as it has just looked at them to choose pairs


async def links_of(
    pairs: list[Pair], pictures: list[tuple[Picture, Picture]], studio: Studio, task: Task
) -> list[Link]:
    """How each picture of the film and the next one are related."""
    assets = {asset.artifact.sha256: asset.artifact for pair in pairs for asset in (pair.first, pair.last)}
    paths = dict(zip(assets, await studio.paths(assets.values()), strict=True))
    steps = [(first.sha256, last.sha256) for first, last in meetings(pictures)]
    share = max(-(-len(steps) // studio.pool.workers), ALONE)
    requests = [
        LinkPictures(pictures=paths, steps=steps[begin : begin + share])
        for begin in range(0, len(steps), share)
    ]
    async with asyncio.TaskGroup() as group:
        found = [group.create_task(studio.run("link_pictures", request, task)) for request in requests]
    return [link for each in found for link in each.result().links]
