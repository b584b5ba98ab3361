"""What genlock is deployed with, looked at as far as it can be without a container to build.

Not tried here: building the image, and Fly. Tried: every file is read by what reads it, or by the same rules.
"""

from __future__ import annotations

import json
import re
import shutil
import subprocess
import sys
import tomllib
from collections.abc import Iterator
from http.server import BaseHTTPRequestHandler, HTTPServer
from pathlib import Path
from threading import Thread
from typing import Any

import pytest
import yaml

from genlock.settings import Settings, load_settings

ROOT = Path(__file__).resolve().parents[2]
SERVICE = ROOT / "packaging" / "genlock.service"
GENLOCK = Path(sys.executable).with_name("genlock")
EXPOSED = 3.0  # of 10, by systemd's own measure: what it calls OK


def instructions() -> list[tuple[str, str]]:
    """The Dockerfile's, with lines joined and comments gone."""
    text = (ROOT / "Dockerfile").read_text(encoding="utf-8")
    bare = "\n".join(line for line in text.splitlines() if not line.startswith("#"))
    lines = bare.replace("\\\n", " ").splitlines()
    return [(word, rest.strip()) for word, _, rest in (line.partition(" ") for line in lines if line.strip())]


def stages() -> dict[str, list[tuple[str, str]]]:
    """Instructions by the name of their stage; the last one has none."""
    found: dict[str, list[tuple[str, str]]] = {}
    name = ""
    for word, rest in instructions():
        if word == "FROM":
            name = rest.partition(" AS ")[2]
            found[name] = []
        elif name or found:
            found[name].append((word, rest))
    return found


def words(of: str, stage: str) -> list[str]:
    return [rest for word, rest in stages()[stage] if word == of]


# The image


def test_the_image_runs_as_nobody_in_particular_and_keeps_its_home_in_a_volume() -> None:
    assert list(stages()) == ["build", "service", "fly", ""]
    assert [rest for word, rest in instructions() if word == "FROM"][-1] == "service"
    assert words("USER", "service") == ["genlock"]
    assert words("VOLUME", "service") == ["/var/lib/genlock"]
    assert words("STOPSIGNAL", "service") == ["SIGTERM"]
    assert json.loads(words("ENTRYPOINT", "service")[0]) + json.loads(words("CMD", "service")[0]) == [
        "genlock",
        "serve",
    ]


def test_everything_that_is_copied_into_the_image_is_there_and_let_in() -> None:
    copied = [path for rest in words("COPY", "build") for path in rest.split()[:-1]]
    assert [path for path in copied if not (ROOT / path).exists()] == []
    let_in = [line[1:] for line in (ROOT / ".dockerignore").read_text().splitlines() if line.startswith("!")]
    assert all(any(Path(path).match(pattern) for pattern in let_in) for path in copied)


def test_all_that_is_installed_in_the_image_is_pinned_by_a_hash() -> None:
    installs = [rest for rest in words("RUN", "build") if "pip install" in rest]
    assert all("--require-hashes" in each or "--no-deps wheels/" in each for each in installs)
    pins = set(re.findall(r"^\S+==\S+", (ROOT / "requirements.lock").read_text(), flags=re.MULTILINE))
    for lock in ("requirements.lock", "build.lock"):
        text = (ROOT / "packaging" / lock).read_text(encoding="utf-8")
        assert "://" not in text
        found = re.findall(r"^(\S+==\S+)[^\n]*(?:\n    [^\n]*)*", text, flags=re.MULTILINE)
        assert set(found) <= pins, "run `make lock`"
        blocks = re.findall(r"^\S+==\S+[^\n]*(?:\n    [^\n]*)*", text, flags=re.MULTILINE)
        assert all("--hash=sha256:" in block for block in blocks)


@pytest.fixture
def answers() -> Iterator[Any]:
    """A server whose health is what `status` says."""

    class Handler(BaseHTTPRequestHandler):
        def do_GET(self) -> None:
            self.send_response(server.status if self.path == "/health" else 404)  # type: ignore[attr-defined]
            self.end_headers()

        def log_message(self, format: str, *args: Any) -> None:
            pass

    server = HTTPServer(("127.0.0.1", 0), Handler)
    server.status = 200  # type: ignore[attr-defined]
    thread = Thread(target=server.serve_forever)
    thread.start()
    yield server
    server.shutdown()
    thread.join()
    server.server_close()


def test_the_health_check_tells_a_server_that_answers_from_one_that_does_not(answers: Any) -> None:
    [check] = words("HEALTHCHECK", "service")
    command = json.loads(check.partition("CMD ")[2])
    env = {"GENLOCK_PORT": str(answers.server_address[1])}

    def healthy() -> bool:
        done = subprocess.run([sys.executable, *command[1:]], env=env, capture_output=True, check=False)
        return done.returncode == 0

    assert command[0] == "python"
    assert healthy()
    answers.status = 503
    assert not healthy()


def test_the_settings_of_all_files_are_settings() -> None:
    known = {f"GENLOCK_{name.upper()}" for name in Settings.model_fields}
    files = ["Dockerfile", "compose.yaml", "fly.toml", "packaging/genlock.service"]
    named = {
        name
        for file in files
        for name in re.findall(r"GENLOCK_[A-Z_]+", (ROOT / file).read_text(encoding="utf-8"))
    }
    assert named <= known


# Compose, Fly


def test_compose_leaves_as_much_time_to_stop_as_stopping_takes() -> None:
    compose = yaml.safe_load((ROOT / "compose.yaml").read_text(encoding="utf-8"))
    service = compose["services"]["genlock"]
    assert int(service["stop_grace_period"].removesuffix("s")) > 10
    assert service["init"]
    assert service["read_only"]
    assert [volume.partition(":")[2] for volume in service["volumes"]] == words("VOLUME", "service")
    assert set(compose["volumes"]) == {
        volume.partition(":")[0] for each in compose["services"].values() for volume in each["volumes"]
    }
    [port] = service["ports"]
    assert port.startswith("127.0.0.1:"), "who has no TLS before it listens to its own machine"
    assert port.endswith(f":{words('EXPOSE', 'service')[0]}")


@pytest.mark.skipif(shutil.which("docker") is None, reason="docker is not installed")
def test_docker_reads_the_compose_file(tmp_path: Path) -> None:
    read = ["docker", "compose", "--file", str(ROOT / "compose.yaml"), "config", "--quiet"]
    done = subprocess.run(read, cwd=tmp_path, capture_output=True, text=True, check=False)
    if "is not a docker command" in done.stderr or "unknown flag" in done.stderr:
        pytest.skip("docker has no compose here")
    assert done.returncode == 0, done.stderr


def test_fly_builds_the_stage_for_it_and_keeps_the_home() -> None:
    fly = tomllib.loads((ROOT / "fly.toml").read_text(encoding="utf-8"))
    assert fly["build"]["build-target"] in stages()
    assert fly["mounts"]["destination"] == words("VOLUME", "service")[0] == fly["env"]["GENLOCK_HOME"]
    assert fly["http_service"]["internal_port"] == int(words("EXPOSE", "service")[0])
    assert fly["http_service"]["auto_stop_machines"] == "off", "jobs run although nobody asks"
    assert int(fly["kill_timeout"].removesuffix("s")) > 10


# systemd


@pytest.fixture
def unit(tmp_path: Path) -> Path:
    """The unit, for the genlock of these tests."""
    text = SERVICE.read_text(encoding="utf-8")
    assert "ExecStart=/opt/genlock/bin/genlock serve\n" in text
    unit = tmp_path / SERVICE.name
    unit.write_text(text.replace("/opt/genlock/bin/genlock", str(GENLOCK)), encoding="utf-8")
    return unit


needs_systemd = pytest.mark.skipif(shutil.which("systemd-analyze") is None, reason="systemd is not installed")


@needs_systemd
def test_systemd_finds_nothing_wrong_with_the_unit(unit: Path) -> None:
    done = subprocess.run(["systemd-analyze", "verify", unit], capture_output=True, text=True, check=False)
    assert unit.name not in done.stdout + done.stderr
    assert done.returncode == 0


@needs_systemd
def test_little_is_exposed_to_the_unit(unit: Path) -> None:
    done = subprocess.run(
        ["systemd-analyze", "security", "--offline=yes", f"--threshold={EXPOSED * 10:g}", unit],
        capture_output=True,
        text=True,
        check=False,
    )
    assert done.returncode == 0, done.stdout.splitlines()[-1]


def test_the_unit_leaves_as_much_time_to_stop_as_stopping_takes() -> None:
    text = SERVICE.read_text(encoding="utf-8")
    [seconds] = re.findall(r"^TimeoutStopSec=(\d+)$", text, flags=re.MULTILINE)
    assert int(seconds) > load_settings().grace.total_seconds() + 5
