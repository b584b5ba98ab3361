"""docs/api.md tells the truth: every route has an example, and all of them work against a real server."""

from __future__ import annotations

import os
import re
import shlex
import shutil
import socket
import subprocess
import time
from collections.abc import Iterator
from functools import partial
from http.server import SimpleHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from threading import Thread
from typing import Any

import pytest

from genlock.api.app import create_app
from genlock.api.dependency import Services
from genlock.testing.simulator import Do, Fault, Simulator

ROOT = Path(__file__).resolve().parents[2]
DOCUMENT = ROOT / "docs" / "api.md"
TOKEN = "gl_docs_" + "0123456789abcdefghijklmnopqrstuvwxyzABCDEFG"
PATIENCE = 900  # seconds for all examples together
SHELL = re.compile(r"^```sh\n(.*?)^```$", re.MULTILINE | re.DOTALL)
WITH_BODY = {"--json", "-d", "--data", "-F"}
PICTURES = {"meadow.jpg": "autumn-meadow.jpg", "brushes.jpg": "paint-brushes.jpg"}


def examples() -> str:
    """All that the page has people type."""
    return "".join(SHELL.findall(DOCUMENT.read_text(encoding="utf-8")))


def asked(script: str) -> set[tuple[str, str]]:
    """Method and path of every request that curl makes in it; what varies in a path is `*`."""
    found = set()
    for command in re.findall(r"curl [^|\n;]*", script):
        method, path = _request(command)
        found.add((method, path))
    return found


def _request(command: str) -> tuple[str, str]:
    url = re.search(r"\$(GENLOCK|API)(/[^\s\"?]*(?:\$\([^)]*\))?)?", command)
    assert url is not None, f"an example asks nobody: {command}"
    named = re.search(r"-X (\w+)", command)
    has_body = any(f" {option} " in command for option in WITH_BODY)
    method = named[1] if named else "POST" if has_body else "GET"  # -I asks for the headers of GET
    path = ("/api/v3" if url[1] == "API" else "") + (url[2] or "")
    return method, re.sub(r"\$(\([^)]*\)?|\w+)", "*", path)


def routes() -> set[tuple[str, str]]:
    """Method and path of every route there is."""
    paths: dict[str, Any] = create_app(Services(jobs=None, trusted=True)).openapi()["paths"]  # type: ignore[arg-type]
    return {(method.upper(), path) for path, methods in paths.items() for method in methods}


def fits(route: str, path: str) -> bool:
    pattern = re.sub(r"\\\{(\w+)\\\}", lambda name: ".+" if name[1] == "task" else "[^/]+", re.escape(route))
    return re.fullmatch(pattern, path) is not None


def test_every_route_has_an_example() -> None:
    told = asked(examples())
    silent = sorted(
        f"{method} {route}"
        for method, route in routes()
        if not any(verb == method and fits(route, path) for verb, path in told)
    )
    assert silent == [], "docs/api.md has no example of these"


def test_no_example_asks_for_what_is_not_there() -> None:
    known = routes() | {("GET", "/api/v3/openapi.json")}
    lost = [
        f"{method} {path}"
        for method, path in asked(examples())
        if not any(verb == method and fits(route, path) for verb, route in known)
    ]
    assert lost == []


@pytest.fixture
def web(tmp_path: Path) -> Iterator[str]:
    """A place with pictures, host and port."""
    folder = tmp_path / "web"
    folder.mkdir()
    for name, photo in PICTURES.items():
        shutil.copy(ROOT / "examples" / "photos" / photo, folder / name)
    server = ThreadingHTTPServer(("127.0.0.1", 0), partial(_Quiet, directory=str(folder)))
    thread = Thread(target=server.serve_forever, daemon=True)
    thread.start()
    yield f"127.0.0.1:{server.server_port}"
    server.shutdown()
    thread.join()
    server.server_close()


class _Quiet(SimpleHTTPRequestHandler):
    def log_message(self, *_: object) -> None:
        """The test's output is not its log."""


@pytest.fixture
def vendors() -> Iterator[Simulator]:
    """A provider that takes every request and loses every answer."""
    with Simulator(width=160, frames=12) as simulator:
        simulator.misbehave(Fault(Do.ACCEPT_THEN_DROP, vendor="runway", times=1000))
        yield simulator


@pytest.fixture
def server(genlock: Any, web: str, vendors: Simulator) -> str:
    """`genlock serve` with a script and an account, at this address."""
    genlock.home.mkdir()
    script = genlock.folder / "nightly.sh"
    script.write_text("#!/bin/sh\necho one film made\n")
    script.chmod(0o755)
    (genlock.home / "scripts.toml").write_text(f'[nightly]\npath = "{script}"\n')
    with socket.create_server(("127.0.0.1", 0)) as free:
        port = free.getsockname()[1]
    genlock.env |= {
        "GENLOCK_ADMIN_TOKEN": TOKEN,
        "GENLOCK_FETCH_ALLOW": web,
        "GENLOCK_RUNWAY_URL": vendors.address("runway"),
        "RUNWAYML_API_SECRET": vendors.key("runway"),
    }
    process = genlock.start("serve", "--port", port)
    deadline = time.monotonic() + 60
    while time.monotonic() < deadline and process.code is None:
        with socket.socket() as probe:
            if probe.connect_ex(("127.0.0.1", port)) == 0:
                return f"http://127.0.0.1:{port}"
        time.sleep(0.05)
    pytest.fail(f"genlock serve does not answer: {process.err}")


def test_every_example_works(server: str, web: str, tmp_path: Path) -> None:
    for tool in ("curl", "jq"):
        assert shutil.which(tool), f"the examples need {tool}: install it"
    folder = tmp_path / "examples-run"
    folder.mkdir()
    (folder / "examples").symlink_to(ROOT / "examples")
    env = {"PATH": os.environ["PATH"], "HOME": str(folder), "GENLOCK": server, "TOKEN": TOKEN}
    script = "set -euo pipefail\n" + _told(examples())
    ran = subprocess.run(
        ["bash", "-c", script],
        cwd=folder,
        env={**env, "PICTURES": f"http://{web}"},
        capture_output=True,
        text=True,
        timeout=PATIENCE,
        check=False,
    )
    assert ran.returncode == 0, f"{ran.stdout[-3000:]}\n{ran.stderr[-3000:]}"
    assert "Unsupported" in ran.stdout, "what this version cannot do is refused"
    assert (folder / "beginning").stat().st_size == 1024


def _told(script: str) -> str:
    """The script, saying each command before it runs it."""
    lines = [
        f"echo {shlex.quote('$ ' + line)}\n{line}" if line.strip() else "" for line in script.splitlines()
    ]
    return "\n".join(lines)
