"""A simulator of its own process, and what it keeps: over the death of clients, of itself, of its parent."""

from __future__ import annotations

import asyncio
import json
import os
import signal
import socket
import subprocess
import sys
import threading
import time
from pathlib import Path

import httpx2
import pytest

from customer import BLUE, KEY, RED, Open, data_uri, headers
from genlock.errors import BadInput
from genlock.testing.simulator import Do, Fault, Simulator, SimulatorProcess

VEO = "/v1/models/google/veo-3.1/predictions"
CLIENT = """
import sys, httpx2
url, key, secret = sys.argv[1:]
print("sending", flush=True)
httpx2.post(url, json={"input": {"prompt": "x"}, "webhook": f"http://127.0.0.1:9/?key={key}"},
            headers={"authorization": f"Bearer {secret}"}, timeout=60)
"""
PARENT = """
import os, signal
from genlock.testing.simulator import SimulatorProcess
vendors = SimulatorProcess().__enter__()
print(vendors.pid, flush=True)
os.kill(os.getpid(), signal.SIGKILL)
"""


def alive(pid: int) -> bool:
    try:
        return Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()[0] != "Z"
    except FileNotFoundError:
        return False


def eventually(what: object, seconds: float = 20) -> bool:
    assert callable(what)
    until = time.monotonic() + seconds
    while not what():
        if time.monotonic() > until:
            return False
        time.sleep(0.02)
    return True


def test_what_was_charged_outlives_the_client_that_was_killed() -> None:
    with SimulatorProcess() as vendors:
        vendors.misbehave(Fault(Do.ACCEPT_THEN_HANG, seconds=3600))
        url = vendors.address("replicate") + VEO
        client = subprocess.Popen(
            [sys.executable, "-c", CLIENT, url, KEY, vendors.key("replicate")], stdout=subprocess.PIPE
        )
        assert eventually(vendors.charges)
        client.kill()
        client.communicate()
        [charge] = vendors.charges()
        assert charge.key == KEY
        answer = httpx2.get(
            f"{vendors.address('replicate')}/v1/predictions", headers=headers_of(vendors, "replicate")
        )
        assert [row["id"] for row in answer.json()["results"]] == [charge.id]


def headers_of(vendors: Simulator | SimulatorProcess, vendor: str) -> dict[str, str]:
    return {"authorization": f"Bearer {vendors.key(vendor)}"}


@pytest.mark.skipif(sys.platform != "linux", reason="reads /proc")
def test_the_process_ends_with_its_parent_however_that_ends() -> None:
    parent = subprocess.run(
        [sys.executable, "-c", PARENT], capture_output=True, text=True, timeout=60, check=False
    )
    assert parent.returncode == -signal.SIGKILL
    pid = int(parent.stdout)
    assert eventually(lambda: not alive(pid))


def test_what_it_knew_is_found_again_after_it_was_killed(tmp_path: Path) -> None:
    with SimulatorProcess(state=tmp_path) as first:
        body = {"input": {"image": data_uri(RED), "last_frame": data_uri(BLUE), "duration": 4}}
        with httpx2.Client(headers=headers_of(first, "replicate")) as client:
            made = client.post(first.address("replicate") + VEO, json=body).json()
            httpx2.post(
                f"{first.address('elevenlabs')}/v1/text-to-speech/adam",
                json={"text": "hi"},
                headers={"xi-api-key": first.key("elevenlabs")},
            )
            charged = first.charges()
            first.kill()
    with (tmp_path / "book.jsonl").open("a") as book:
        book.write('{"kind":"charge","number":3,"at"')  # a line that the kill cut through
    with SimulatorProcess(state=tmp_path) as second:
        assert second.charges() == charged
        second.advance(10)
        with httpx2.Client(headers=headers_of(second, "replicate")) as client:
            done = client.get(f"{second.address('replicate')}/v1/predictions/{made['id']}").json()
            assert done["status"] == "succeeded"
            film = client.get(done["output"]).content
            client.post(second.address("replicate") + VEO, json=body)
        history = httpx2.get(
            f"{second.address('elevenlabs')}/v1/history", headers={"xi-api-key": second.key("elevenlabs")}
        )
        assert [item["text"] for item in history.json()["history"]] == ["hi"]
        assert [charge.number for charge in second.charges()] == [1, 2, 3]
        assert [[charge.number for charge in twice] for twice in second.charged_twice()] == [[1, 3]]
    assert len(film) > 2000
    with SimulatorProcess(state=tmp_path) as third:
        assert len(third.charges()) == 3


def test_two_simulators_do_not_share_a_folder(tmp_path: Path) -> None:
    with Simulator(state=tmp_path), pytest.raises(BadInput, match="another folder"):
        Simulator(state=tmp_path).__enter__()
    with Simulator(state=tmp_path) as vendors:
        assert vendors.charges() == []


def test_no_key_is_written_down(tmp_path: Path) -> None:
    with Simulator(state=tmp_path) as vendors:
        for vendor in ("replicate", "kling", "elevenlabs", "fal"):
            httpx2.get(vendors.address(vendor) + "/v1/predictions", headers=headers(vendors, vendor))
        assert len(vendors.requests()) == 4
        keys = [vendors.key(vendor) for vendor in ("replicate", "kling", "elevenlabs", "fal")]
    written = (tmp_path / "book.jsonl").read_text()
    assert [key for key in keys if key in written] == []
    assert "authorization" not in written


@pytest.mark.skipif(sys.platform != "linux", reason="reads /proc")
def test_an_answer_costs_less_than_two_milliseconds_of_the_processor() -> None:
    def spent(pid: int) -> float:
        fields = Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()
        return (int(fields[11]) + int(fields[12])) / os.sysconf("SC_CLK_TCK")

    with SimulatorProcess() as vendors, httpx2.Client(headers=headers_of(vendors, "replicate")) as client:
        url = vendors.address("replicate")
        here = client.post(url + VEO, json={"input": {"prompt": "x"}}).json()["urls"]["get"]
        before = spent(vendors.pid)
        for _ in range(200):
            assert client.get(here).status_code == 200
        assert spent(vendors.pid) - before < 200 * 0.002


# In this process


async def test_it_runs_in_a_thread_beside_an_event_loop() -> None:
    before = threading.active_count()
    async with Simulator(work=0.0) as vendors, httpx2.AsyncClient() as client:
        answers = await asyncio.gather(
            *(
                client.post(
                    vendors.address("runway") + "/v1/image_to_video",
                    json={"model": "gen4", "promptImage": data_uri(RED), "seed": seed},
                    headers=headers(vendors, "runway"),
                )
                for seed in range(20)
            )
        )
        assert {answer.status_code for answer in answers} == {200}
        assert len(vendors.charges()) == 20
    assert threading.active_count() <= before + 1


def test_time_passes_by_itself_as_fast_as_was_said(open_at: Open, sim: Simulator) -> None:
    sim.set_clock(scale=3600)
    sim.tune(work=60.0)
    client = open_at("replicate")
    here = client.post(VEO, json={"input": {}}).json()["urls"]["get"]
    assert eventually(lambda: client.get(here).json()["status"] == "succeeded")


def test_a_port_that_is_taken_is_an_error() -> None:
    with socket.socket() as taken:
        taken.bind(("127.0.0.1", 0))
        taken.listen()
        with pytest.raises(OSError, match="in use"):
            Simulator(port=taken.getsockname()[1]).__enter__()


def test_a_simulator_that_does_not_run_says_so() -> None:
    for vendors in (Simulator(), SimulatorProcess()):
        with pytest.raises(BadInput, match="not running"):
            vendors.charges()


# The desk


def test_the_desk_is_open_to_those_who_speak_http(sim: Simulator, open_at: Open) -> None:
    open_at("replicate").post(VEO, json={"input": {}})
    desk = httpx2.Client(base_url=sim.url)
    book = desk.get("/_book").json()
    assert [len(book[part]) for part in ("requests", "charges", "reports", "jobs")] == [1, 1, 0, 1]
    assert desk.get("/_").json()["vendors"]["kling"] == sim.address("kling")
    now = desk.get("/_clock").json()["now"]
    assert desk.post("/_clock", json={"advance": 5}).json()["now"] == pytest.approx(now + 5)
    desk.post("/_reset")
    assert desk.get("/_book").json() == {"requests": [], "charges": [], "reports": [], "jobs": []}
    for path, body in (
        ("/_clock", {"ahead": 5}),
        ("/_tune", {"speed": 2}),
        ("/_nothing", {}),
        ("/_shut", {}),
    ):
        assert desk.post(path, json=body).status_code == 400
    assert desk.post("/_clock", content=b"{").status_code == 400
    desk.close()


def test_what_is_no_vendor_or_no_http_is_answered_all_the_same(sim: Simulator) -> None:
    assert httpx2.get(f"{sim.url}/nobody/v1").status_code == 404
    host, port = sim.url.removeprefix("http://").split(":")
    with socket.create_connection((host, int(port))) as plug:
        plug.sendall(b"nonsense\r\n\r\n")
        assert plug.recv(100).startswith(b"HTTP/1.1 400")
    with socket.create_connection((host, int(port))) as plug:
        body = json.dumps({"input": {}}).encode()
        key = sim.key("replicate")
        head = f"POST /replicate{VEO} HTTP/1.1\r\nHost: x\r\nAuthorization: Bearer {key}\r\n"
        head += "Transfer-Encoding: chunked\r\nExpect: 100-continue\r\n\r\n"
        plug.sendall(head.encode())
        assert plug.recv(100).startswith(b"HTTP/1.1 100")
        plug.sendall(b"%x\r\n%b\r\n0\r\n\r\n" % (len(body), body))
        assert plug.recv(100).startswith(b"HTTP/1.1 201")


def test_the_command_line_does_not_load_it() -> None:
    code = "import sys\nfrom genlock.cli.main import main\nsys.argv = ['genlock', '--help']\n"
    code += "try:\n    main()\nexcept SystemExit:\n    pass\n"
    code += "sys.exit(any(name.startswith(('genlock.testing', 'h11')) for name in sys.modules))"
    subprocess.run([sys.executable, "-c", code], capture_output=True, timeout=60, check=True)
