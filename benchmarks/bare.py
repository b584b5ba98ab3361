"""The least that a status can cost with FastAPI: one route that reads one row of an SQLite file.

python benchmarks/bare.py DATABASE PORT
"""

from __future__ import annotations

import asyncio
import sqlite3
import sys
import threading
from typing import Any

import uvicorn
from fastapi import FastAPI

app = FastAPI()
local = threading.local()
ROWS = 1000


@app.get("/rows/{id}")
def show_row(id: int) -> dict[str, Any]:
    """As FastAPI has it done: in its pool of threads, each with a connection of its own."""
    if not hasattr(local, "connection"):
        local.connection = sqlite3.connect(sys.argv[1])
    row = local.connection.execute("SELECT id, state, words FROM job WHERE id = ?", (id,)).fetchone()
    return {"id": row[0], "state": row[1], "words": row[2]}


def fill(path: str) -> None:
    """Rows as long as what is known of a job."""
    with sqlite3.connect(path) as connection:
        connection.execute("PRAGMA journal_mode = WAL")
        connection.execute("CREATE TABLE job (id INTEGER PRIMARY KEY, state TEXT, words TEXT)")
        rows = [(number, "running", "x" * 1000) for number in range(ROWS)]
        connection.executemany("INSERT INTO job VALUES (?, ?, ?)", rows)
    connection.close()


if __name__ == "__main__":
    fill(sys.argv[1])
    settings = {"http": "h11", "ws": "none", "lifespan": "off", "access_log": False, "log_config": None}
    config = uvicorn.Config(app, port=int(sys.argv[2]), **settings)  # type: ignore[arg-type]
    asyncio.run(uvicorn.Server(config).serve())
