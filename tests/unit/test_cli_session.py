"""Owning a home, or asking the process that does."""

from __future__ import annotations

import asyncio
import os
import signal
from pathlib import Path
from typing import Any

import pytest

from genlock import open_engine
from genlock.api.dependency import Services
from genlock.api.server import Server
from genlock.cli import session
from genlock.cli.session import Interrupt, Session, connect, pursue
from genlock.errors import HomeTaken, OwnerGone
from genlock.owner import Ownership
from genlock.settings import Settings


@pytest.fixture
def settings(tmp_path: Path) -> Settings:
    return Settings(home=tmp_path / "home")


async def test_an_owner_that_never_answers_is_named(
    settings: Settings, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(session, "WAIT", 0.2)
    said = rf"process {os.getpid()} \(genlock clean.*does not answer"
    with (
        Ownership.take(settings, command="genlock clean") or pytest.fail("was free"),
        pytest.raises(HomeTaken, match=said),
    ):
        async with connect(settings, command="genlock jobs", execute=False):
            pass


async def test_a_python_program_that_owns_the_home_is_named_at_once(settings: Settings) -> None:
    said = rf"Python program, process {os.getpid()} .*takes no questions.*wait until it ends, or ask"
    began = asyncio.get_running_loop().time()
    async with open_engine(home=settings.home):
        with pytest.raises(HomeTaken, match=said):
            async with connect(settings, command="genlock jobs", execute=False):
                pass
    assert asyncio.get_running_loop().time() - began < session.WAIT


async def test_an_owner_that_is_only_closing_is_waited_for(settings: Settings) -> None:
    ownership = Ownership.take(settings)
    assert ownership is not None
    asyncio.get_running_loop().call_later(0.2, ownership.release)
    async with connect(settings, command="genlock jobs", execute=False) as found:
        assert found.home is not None
        assert not found.executes


@pytest.mark.parametrize("deep", [1, 6])
async def test_a_second_process_is_a_client_however_long_the_path_is(
    tmp_path: Path, service: Any, deep: int
) -> None:
    settings = Settings(home=tmp_path.joinpath(*["x" * 40] * deep))
    with Ownership.take(settings) or pytest.fail("was free") as ownership:
        server = Server(Services(jobs=service, trusted=True))
        serving = asyncio.create_task(server.serve(ownership.bind()))
        async with connect(settings, command="genlock jobs", execute=False) as found:
            service.add("abc")
            assert found.home is None
            assert (await found.service.show("abc")).id == "abc"
        server.stop()
        await asyncio.wait_for(serving, 5)


async def test_a_command_whose_owner_dies_becomes_the_owner(settings: Settings) -> None:
    tried: list[bool] = []
    told: list[str] = []

    async def act(found: Session) -> str:
        tried.append(found.home is not None)
        if len(tried) == 1:
            raise OwnerGone("the owner does not answer")
        return "done"

    assert await pursue(settings, "genlock run", act, notice=told.append) == "done"
    assert tried == [True, True]
    assert told == ["the owner does not answer; going on without it"]


async def test_what_is_kept_in_the_background_ends_with_the_session(settings: Settings) -> None:
    async with connect(settings, command="genlock run", execute=True) as owner:
        await owner.open_socket()
        await owner.open_socket()  # twice is once
        async with connect(settings, command="genlock jobs", execute=False) as client:
            assert client.home is None
            assert client.executes
            assert list(await client.service.list()) == []
    assert not settings.socket.exists()
    assert settings.logs.joinpath("genlock.log").exists()


async def test_the_first_signal_asks_and_the_code_says_which(settings: Settings) -> None:
    interrupt = Interrupt()
    interrupt.listen()
    os.kill(os.getpid(), signal.SIGTERM)
    await asyncio.wait_for(interrupt.asked.wait(), 5)
    assert interrupt.code == 143
    for each in session.STOPPING:
        asyncio.get_running_loop().remove_signal_handler(each)
