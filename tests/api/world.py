"""One of each kind of thing that somebody can have, to be asked about by everybody else."""

from __future__ import annotations

import io
from collections.abc import Awaitable, Callable
from dataclasses import dataclass
from itertools import count
from pathlib import Path
from typing import Any

import httpx2
from PIL import Image

from api.conftest import NOTE, Api
from genlock.ledger.library.verdict import FILM
from genlock.ledger.records import JobSpec, NodeSpec
from genlock.ledger.spending import CallSpec
from genlock.money import Money
from genlock.pipelines.models import Film
from genlock.store.artifact import Artifact

V3 = "/api/v3"
HOURLY = {"name": "Hourly", "pipeline": "note", "params": {"text": "x"}, "every": "1h"}


@dataclass
class World:
    """Makes things of one user, each a new one. `fills` has a path's placeholders and what makes them."""

    api: Api
    client: httpx2.AsyncClient
    owner: str
    folder: Path

    def __post_init__(self) -> None:
        self._numbers = count(1)

    async def path(self, template: str) -> str:
        """A path with new things of this user in the places of its parameters."""
        path = template
        for name, make in self._makers(template).items():
            if f"{{{name}}}" in path:
                for part, value in (await make()).items():
                    path = path.replace(f"{{{part}}}", value)
        return path

    def _makers(self, template: str) -> dict[str, Callable[[], Awaitable[dict[str, str]]]]:
        by_id = {
            "clients": self.library_client,
            "campaigns": self.campaign,
            "assets": self.asset,
            "schedules": self.schedule,
            "cron": self.schedule,
            "tokens": self.token,
        }
        kind = next((part for part in template.split("/") if part in by_id), "")
        makers = {"sha256": self.artifact, "job": self.job, "key": self.call, "video": self.video}
        makers |= {"scope": self.budget}
        return makers | ({"id": by_id[kind]} if kind else {})

    async def job(self) -> dict[str, str]:
        made = await self.client.post(f"{V3}/jobs", json=NOTE)
        assert made.status_code == 202, made.text
        return {"job": made.json()["data"]["id"], "task": "write"}

    async def budget(self) -> dict[str, str]:
        return {"scope": f"job:{(await self.job())['job']}"}

    async def call(self) -> dict[str, str]:
        ledger = self.api.home.engine.ledger
        job = await self._row("buy")
        (claim,) = await ledger.claim("somebody", tasks=[job])
        ask = CallSpec("clip", "acme:one", "acme", "blind", "{}", "hash", Money.of("0.50"))
        intent = await ledger.intend(claim, ask)
        assert intent.call is not None
        return {"key": intent.call.key}

    async def video(self) -> dict[str, str]:
        """A film whose job has made it; its bytes are no film, which nobody looks into here."""
        ledger = self.api.home.engine.ledger
        file = await self._file()
        film = Film(
            film=file,
            poster=file,
            contact_sheet=file,
            frames=30,
            seconds=1.0,
            width=160,
            height=90,
            fps=30,
            clips=1,
            report={},
        )
        task = await self._row(FILM)
        (claim,) = await ledger.claim("somebody", tasks=[task])
        await ledger.succeed(claim, film.model_dump_json())
        return {"video": task.job}

    async def artifact(self) -> dict[str, str]:
        video = (await self.video())["video"]
        return {"job": video, "sha256": (await self._file()).sha256}

    async def library_client(self) -> dict[str, str]:
        return await self._made("clients", {"name": "Acme"})

    async def campaign(self) -> dict[str, str]:
        return await self._made("campaigns", {"name": "Spring"})

    async def schedule(self) -> dict[str, str]:
        return await self._made("schedules", HOURLY)

    async def asset(self) -> dict[str, str]:
        out = io.BytesIO()
        Image.new("RGB", (64, 64), (next(self._numbers) % 256, 20, 30)).save(out, "JPEG")
        files = {"files": ("a.jpg", out.getvalue(), "image/jpeg")}
        made = await self.client.post(f"{V3}/assets", files=files)
        assert made.status_code == 201, made.text
        return {"id": made.json()["data"]["assets"][0]["id"]}

    async def token(self) -> dict[str, str]:
        return {"id": (await self.api.token(self.owner)).split("_")[1]}

    async def _made(self, kind: str, body: dict[str, Any]) -> dict[str, str]:
        made = await self.client.post(f"{V3}/{kind}", json=body)
        assert made.status_code == 201, made.text
        return {"id": made.json()["data"]["id"]}

    async def _row(self, node: str) -> Any:
        name = f"{self.owner}-{next(self._numbers)}-{node}"
        spec = JobSpec(name, "film", "{}", "{}", (NodeSpec(node),), (), owner=self.owner)
        (ready,) = (await self.api.home.engine.ledger.create_job(spec)).ready
        return ready

    async def _file(self) -> Artifact:
        place = self.folder / "film.mp4"
        place.write_bytes(b"a film")
        return await self.api.home.store.put(place, "video/mp4")
