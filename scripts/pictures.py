"""Make the README's pictures: a strip of frames from a film, and the campaign's graph.

.venv/bin/python scripts/pictures.py out/campaign.mp4
"""

from __future__ import annotations

import asyncio
import sys
from pathlib import Path

from genlock.media.pool import RenderPool
from genlock.media.request import MakeContactSheet
from genlock.pipelines.campaign import campaign

PICTURES = Path(__file__).resolve().parents[1] / "docs" / "pictures"


async def main(film: Path) -> None:
    """Write `docs/pictures/strip.jpg` and `docs/pictures/campaign.svg`."""
    PICTURES.mkdir(parents=True, exist_ok=True)
    async with RenderPool(1) as pool:
        sheet = MakeContactSheet(film=film, to=PICTURES / "strip.jpg", columns=7, rows=1, width=1600)
        await pool.run("contact_sheet", sheet)
    (PICTURES / "campaign.svg").write_text(campaign.graph.svg(), encoding="utf-8")


if __name__ == "__main__":
    asyncio.run(main(Path(sys.argv[1]).resolve()))
