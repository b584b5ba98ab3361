"""Finding a job by what people type of its id."""

from __future__ import annotations

from genlock.errors import NotFound
from genlock.ledger.protocol import LedgerReader
from genlock.ledger.records import JobFilter, JobRow

RECENT = 1000  # jobs among which an abbreviated id is looked for


async def find_job(reader: LedgerReader, id: str) -> JobRow:
    """The job with this id, or the only recent one whose id begins or ends so. `NotFound` if there is
    none.
    """
    try:
        return await reader.job(id)
    except NotFound:
        if not id:
            raise
    recent = await reader.jobs(JobFilter(children=True), limit=RECENT)
    fitting = [row for row in recent if row.id.startswith(id) or row.id.endswith(id)]
    if len(fitting) == 1:
        return fitting[0]
    if not fitting:
        raise NotFound(f"there is no job {id!r}; `genlock jobs` lists them")
    raise NotFound(
        f"{id!r} fits {len(fitting)} jobs, such as {fitting[0].id} and {fitting[1].id}: add letters"
    )
