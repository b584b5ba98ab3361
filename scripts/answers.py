"""Write src/genlock/api/answers.json, the examples in OpenAPI, from what docs/api.md makes a server say.

python scripts/answers.py
"""

from __future__ import annotations

import json
import os
import re
import shutil
import socket
import subprocess
import tempfile
import threading
import time
from functools import partial
from http.server import SimpleHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from typing import Any

import uvicorn
from fastapi import FastAPI
from starlette.routing import compile_path
from starlette.types import ASGIApp, Message, Receive, Scope, Send

from genlock.api.app import create_app
from genlock.api.dependency import Services
from genlock.api.factory import Application
from genlock.testing.simulator import Do, Fault, Simulator

ROOT = Path(__file__).resolve().parent.parent
ANSWERS = ROOT / "src" / "genlock" / "api" / "answers.json"
TOKEN = "gl_docs_" + "0123456789abcdefghijklmnopqrstuvwxyzABCDEFG"
SHELL = re.compile(r"^```sh\n(.*?)^```$", re.MULTILINE | re.DOTALL)
PICTURES = {"meadow.jpg": "autumn-meadow.jpg", "brushes.jpg": "paint-brushes.jpg"}
ITEMS, LETTERS = 3, 300  # of a list, and of a text, that are shown


class Recorder:
    """Around an application: every answer of JSON that it gives, by method and path."""

    def __init__(self, app: ASGIApp, heard: list[tuple[str, str, int, Any]]) -> None:
        self.app, self.heard = app, heard

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        parts: list[bytes] = []
        status = [0]

        async def sending(message: Message) -> None:
            if message["type"] == "http.response.start":
                status[0] = message["status"]
            parts.append(message.get("body", b""))
            await send(message)

        await self.app(scope, receive, sending)
        body = b"".join(parts)
        if scope["type"] == "http" and body.startswith((b"{", b"[")):
            self.heard.append((scope["method"], scope["path"], status[0], json.loads(body)))


def shortened(value: Any) -> Any:
    """As much of an answer as shows what it is like; nothing of this machine."""
    if isinstance(value, dict):
        return {name: shortened(each) for name, each in value.items()}
    if isinstance(value, list):
        return [shortened(each) for each in value[:ITEMS]]
    if isinstance(value, str):
        told = re.sub(r"gl_[a-z0-9]+_[\w-]{20,}", "gl_1m7v0k3q8e_…", value)
        told = re.sub(r"/\S*/home/", "/var/lib/genlock/", told)
        told = re.sub(r"http://127\.0\.0\.1:\d+", "https://images.example", told)
        return told if len(told) <= LETTERS else told[:LETTERS] + "…"
    return value


def by_operation(heard: list[tuple[str, str, int, Any]], paths: dict[str, Any]) -> dict[str, Any]:
    """Of each operation the longest answer: that in which least is left open."""
    found: dict[str, Any] = {}
    for method, path, status, body in heard:
        fitting = [path] if path in paths else [each for each in paths if compile_path(each)[0].match(path)]
        operation = paths[fitting[0]].get(method.lower()) if fitting else None
        if operation is None or not 200 <= status < 300:
            continue
        name, size = operation["operationId"], len(json.dumps(body))
        if size > len(json.dumps(found.get(name, ""))):
            found[name] = body
    return {name: shortened(found[name]) for name in sorted(found)}


def record(folder: Path) -> dict[str, Any]:
    """Run the page against a server of its own."""
    (home := folder / "home").mkdir()
    script = folder / "nightly.sh"
    script.write_text("#!/bin/sh\necho one film made\n")
    script.chmod(0o755)
    (home / "scripts.toml").write_text(f'[nightly]\npath = "{script}"\n')
    (web := folder / "web").mkdir()
    for name, photo in PICTURES.items():
        shutil.copy(ROOT / "examples" / "photos" / photo, web / name)
    (folder / "examples").symlink_to(ROOT / "examples")
    pictures = ThreadingHTTPServer(("127.0.0.1", 0), partial(SimpleHTTPRequestHandler, directory=str(web)))
    threading.Thread(target=pictures.serve_forever, daemon=True).start()
    place = f"127.0.0.1:{pictures.server_port}"
    with Simulator(width=160, frames=12) as vendors:
        vendors.misbehave(Fault(Do.ACCEPT_THEN_DROP, vendor="runway", times=1000))
        os.environ |= {
            "GENLOCK_HOME": str(home),
            "GENLOCK_ADMIN_TOKEN": TOKEN,
            "GENLOCK_FETCH_ALLOW": place,
            "GENLOCK_RUNWAY_URL": vendors.address("runway"),
            "RUNWAYML_API_SECRET": vendors.key("runway"),
        }
        heard: list[tuple[str, str, int, Any]] = []
        apps: list[FastAPI] = []

        def build(services: Services) -> FastAPI:
            apps.append(create_app(services))
            apps[0].add_middleware(Recorder, heard=heard)
            return apps[0]

        bound = socket.create_server(("127.0.0.1", 0))
        server = uvicorn.Server(uvicorn.Config(Application(build), log_level="warning", ws="none"))
        thread = threading.Thread(target=partial(server.run, [bound]))
        thread.start()
        while not server.started:
            time.sleep(0.1)
        _read_aloud(folder, f"http://127.0.0.1:{bound.getsockname()[1]}", place)
        server.should_exit = True
        thread.join()
    return by_operation(heard, apps[0].openapi()["paths"])


def _read_aloud(folder: Path, url: str, place: str) -> None:
    page = (ROOT / "docs" / "api.md").read_text(encoding="utf-8")
    env = {"PATH": os.environ["PATH"], "HOME": str(folder), "GENLOCK": url, "TOKEN": TOKEN}
    subprocess.run(
        ["bash", "-c", "set -euo pipefail\n" + "".join(SHELL.findall(page))],
        cwd=folder,
        env={**env, "PICTURES": f"http://{place}"},
        stdout=subprocess.DEVNULL,
        check=True,
        timeout=900,
    )


if __name__ == "__main__":
    with tempfile.TemporaryDirectory() as scratch:
        answers = record(Path(scratch))
    lines = ",\n".join(
        f"{json.dumps(name)}: {json.dumps(answers[name], ensure_ascii=False)}" for name in answers
    )
    ANSWERS.write_text(f"{{\n{lines}\n}}\n", encoding="utf-8")
