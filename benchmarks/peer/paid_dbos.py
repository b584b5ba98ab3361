"""Paid calls as steps of a DBOS workflow, eight at once. After a kill `DBOS.launch` goes on with it."""

from __future__ import annotations

import asyncio
import os
import sqlite3
from pathlib import Path

from dbos import DBOS, SetWorkflowID

from shop import AT_ONCE, buy, told

JOB = "shots"
turn = asyncio.Semaphore(AT_ONCE)


@DBOS.step()
async def shot(number: int, url: str, key: str) -> str:
    async with turn:
        return await asyncio.to_thread(buy, number, url, key)


@DBOS.workflow()
async def shots(count: int, url: str, key: str) -> int:
    return len(await asyncio.gather(*(shot(number, url, key) for number in range(count))))


def configure(place: str) -> None:
    path = Path(place) / "dbos.sqlite"
    path.parent.mkdir(parents=True, exist_ok=True)
    connection = sqlite3.connect(path)
    connection.execute("PRAGMA journal_mode = WAL")
    connection.close()
    DBOS(config={"name": "shots", "system_database_url": f"sqlite:///{path}", "log_level": "ERROR"})


async def buy_all(count: int, url: str, key: str) -> int:
    with SetWorkflowID(JOB):
        handle = await DBOS.start_workflow_async(shots, count, url, key)  # there already: that one
    return int(await handle.get_result())


if __name__ == "__main__":
    count, place, url, key = told()
    configure(place)
    DBOS.launch()
    bought = asyncio.run(buy_all(count, url, key))
    os._exit(0 if bought == count else 1)  # whatever threads it would still wait for
