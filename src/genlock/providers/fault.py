"""What an answer that is no success means for money: was it accepted, was it not, or can nobody know?"""

from __future__ import annotations

import re
from collections.abc import Callable

from genlock.errors import (
    Doubtful,
    GenlockError,
    NotAccepted,
    NotFound,
    OutOfCredit,
    Permanent,
    Refused,
    Transient,
)
from genlock.providers.reply import Reply

Judge = Callable[[Reply], GenlockError | None]

_NO_CREDIT = re.compile(
    r"insufficient[ _-]*(account[ _-]*)?(credit|balance|quota|fund)|not (have )?enough credit|out of credit"
    r"|exhausted balance|quota_exceeded|payment[ _]required|in arrears|resource pack (is )?(depleted|expired)"
    r"|billing hard limit|credit balance is too low|no credits? (left|remaining)",
    re.IGNORECASE,
)
_NOT_TAKEN = re.compile(
    r"not (been )?(accepted|queued|created|processed|charged)|overloaded|at capacity|no capacity"
    r"|queue is full|too many requests|rate.?limit",
    re.IGNORECASE,
)
_NEVER_HERE = {301, 307, 308}  # the same request is wanted elsewhere; after any other it may have been done
_GONE_MEANWHILE = {408, 499}  # said by something in between that lost its patience


def of_submission(reply: Reply, key_name: str, judge: Judge | None = None) -> GenlockError | None:
    """What the answer to a request that costs money means; None: it is a success. `judge` knows better than
    these rules where a vendor has its own.
    """
    if reply.ok:
        return None
    judged = judge(reply) if judge else None
    return judged or _refusal(reply, key_name) or _doubt(reply)


def _refusal(reply: Reply, key_name: str) -> GenlockError | None:
    said, status = reply.words(), reply.status
    if status == 402 or (400 <= status < 500 and _NO_CREDIT.search(said)):
        return OutOfCredit(f"the account at {reply.vendor} is empty: {said}")
    if status == 429:
        return NotAccepted(f"{reply.vendor} is busy: {said}", retry_after=reply.retry_after)
    if status == 503 and _NOT_TAKEN.search(said):
        return NotAccepted(f"{reply.vendor} did not take it: {said}", retry_after=reply.retry_after)
    if status in _NEVER_HERE:
        return Refused(f"{reply.vendor} has moved ({status}): is its address right in the settings?")
    if status in (401, 403):
        return Refused(f"{reply.vendor} refuses the key in {key_name} ({status}): {said}")
    if 400 <= status < 500 and status not in _GONE_MEANWHILE:
        return Refused(f"{reply.vendor} refuses ({status}): {said}")
    return None


def _doubt(reply: Reply) -> Doubtful:
    return Doubtful(f"{reply.vendor} answered {reply.status}: {reply.words()}")


def of_question(reply: Reply, key_name: str, what: str) -> GenlockError | None:
    """What the answer to a question means; None: it is a success. Never `Refused`: that would mean that
    nothing was accepted, and a question says nothing about that.
    """
    said, status = reply.words(), reply.status
    if reply.ok:
        return None
    if status in (404, 410):
        return NotFound(f"{reply.vendor} has no {what}: {said}")
    if status in (401, 403):
        return Permanent(f"{reply.vendor} refuses the key in {key_name} ({status}): {said}")
    if 400 <= status < 500 and status not in (402, 408, 409, 425, 429, 499):
        return Permanent(f"{reply.vendor} does not understand the question for {what} ({status}): {said}")
    return Transient(
        f"{reply.vendor} cannot be asked for {what} now ({status}): {said}", retry_after=reply.retry_after
    )
