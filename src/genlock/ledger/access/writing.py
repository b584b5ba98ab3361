"""Lines of the audit: appended by whatever transaction does what they say."""

from __future__ import annotations

import json
from collections.abc import Mapping
from typing import Any

from sqlalchemy import Connection, insert

from genlock.ledger.access.doing import Doing
from genlock.ledger.access.schema import audit


def write(
    connection: Connection,
    now: int,
    user: str,
    token: str | None,
    action: str,
    target: str,
    data: Mapping[str, Any],
) -> None:
    """Append a deed."""
    said = json.dumps(dict(data), ensure_ascii=False, sort_keys=True)
    values = {"at": now, "user": user, "token": token, "action": action, "target": target}
    connection.execute(insert(audit).values(**values, data=said))


def write_down(connection: Connection, now: int, deed: Doing, answer: Any) -> bool:
    """Append what was just done in this transaction; whether it was that."""
    target = deed.target_of(answer)
    if target is not None:
        write(connection, now, deed.user, deed.token, deed.action, target, deed.data)
    return target is not None
