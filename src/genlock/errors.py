"""Every error genlock raises on purpose, under one root.

    GenlockError
    ├── GraphError              the pipeline cannot be drawn as declared
    ├── BadInput                what was handed in cannot be used; nothing has been spent
    │   ├── BadAddress          nothing is fetched from an address, or nothing came of it
    │   ├── BadPicture          one picture cannot be used
    │   └── TooLarge            more was sent than is taken at once
    ├── Unauthorized            nobody knows who is asking
    ├── Forbidden               who is asking may not do this
    ├── TooMany                 asked more often than is allowed; later it works
    ├── NotFound                no such job, task or artifact
    ├── Conflict                the thing is in a state that does not allow this
    │   ├── Underway            the same request is being answered already
    │   ├── ClaimLost           another holder has this task now, or it was cancelled
    │   └── DuplicateName       two notes, calls or events of one task share a name
    ├── OwnerError
    │   ├── HomeTaken           another process owns this home
    │   ├── PortTaken           the address to listen on is not to be had
    │   └── OwnerGone           the process that owns this home does not answer
    ├── LedgerError             the database refused or is gone
    │   └── SchemaTooNew        the ledger was written by a newer genlock
    ├── StageError
    │   ├── Transient           may well succeed if tried again
    │   │   ├── AttemptTimeout  one attempt took longer than its stage allows
    │   │   ├── RenderCrashed   a rendering process died or hung
    │   │   ├── NoRenderer      no rendering process can be started
    │   │   ├── NotAccepted     a provider did not take the request: nothing was spent
    │   │   └── CallFailed      a provider took the request and made nothing
    │   ├── DiskFull            there is no room for what is made; parks
    │   ├── Doubtful            nobody knows whether a provider took the request
    │   └── Permanent           will fail again for the same reason
    │       ├── Refused         a provider will not do this: bad input, content or key
    │       ├── GivenUp         a person gave up a paid call that was in doubt
    │       ├── InVain          what was bought twice could not be used
    │       ├── OutOfCredit     the provider's account is empty; parks
    │       ├── Unsupported     the provider or the library cannot do this
    │       ├── EventTimeout    nobody answered a gate in time
    │       ├── Rejected        a person said no to what was made
    │       ├── RenderRefused   the media library says the material cannot be used
    │       ├── ScriptFailed    a script of one's own ended with an error
    │       └── CheckFailed     a finished film is not what was planned
    ├── StoreError              a file is missing from the store or is not what its name says
    └── BackupError             a backup cannot be made, or is not whole

Signals end an attempt without being failures; they are no GenlockError: `Skip` is raised by a
stage body on purpose, `Parked` by the engine inside one.
"""

from __future__ import annotations

import errno
from datetime import datetime, timedelta


class GenlockError(Exception):
    """Root of everything genlock raises on purpose."""


class GraphError(GenlockError):
    """The pipeline cannot be drawn as declared."""


class BadInput(GenlockError):
    """What was handed in cannot be used; nothing has been spent."""


class BadAddress(BadInput):
    """Nothing is fetched from an address, or what was fetched is of no use."""


class BadPicture(BadInput):
    """One picture cannot be used."""


class TooLarge(BadInput):
    """More was sent than is taken at once; nothing was done with it."""


class Unauthorized(GenlockError):
    """Nobody knows who is asking: no token, or one that is not valid."""


class Forbidden(GenlockError):
    """Who is asking may not do this."""


class TooMany(GenlockError):
    """Asked more often than is allowed; `retry_after` is when it may be asked again."""

    def __init__(self, message: str, *, retry_after: timedelta | None = None) -> None:
        super().__init__(message)
        self.retry_after = retry_after


class NotFound(GenlockError):
    """There is no such job, task or artifact."""


class Conflict(GenlockError):
    """The thing is in a state that does not allow this."""


class Underway(Conflict):
    """The same request is being answered already: ask again after `retry_after`."""

    def __init__(self, message: str, *, retry_after: timedelta | None = None) -> None:
        super().__init__(message)
        self.retry_after = retry_after


class ClaimLost(Conflict):
    """Another holder has this task now, or it was cancelled: drop what you have."""


class DuplicateName(Conflict):
    """Two notes, calls or events of one task share a name."""


class OwnerError(GenlockError):
    """Something is wrong with the process that owns a home."""


class HomeTaken(OwnerError):
    """Another process owns this home."""


class PortTaken(OwnerError):
    """The address that was to be listened on is not to be had."""


class OwnerGone(OwnerError):
    """The process that owns this home does not answer."""


class LedgerError(GenlockError):
    """The database refused or is gone."""


class SchemaTooNew(LedgerError):
    """The ledger was written by a newer genlock."""


class StageError(GenlockError):
    """A stage could not do its work."""


class Transient(StageError):
    """May well succeed if tried again; `retry_after` is what the other side asked for."""

    def __init__(self, message: str, *, retry_after: timedelta | None = None) -> None:
        super().__init__(message)
        self.retry_after = retry_after


class AttemptTimeout(Transient):
    """One attempt took longer than its stage allows."""


class RenderCrashed(Transient):
    """A rendering process died or hung."""


class NoRenderer(Transient):
    """No rendering process can be started: it is nobody's picture that is at fault."""


class NotAccepted(Transient):
    """A provider did not take the request (busy, or never reached): nothing was spent."""


class CallFailed(Transient):
    """A provider took the request and made nothing of it; another try is another paid call."""


class DiskFull(StageError):
    """There is no room on the disk for what is made: the task waits until there is."""


class Doubtful(StageError):
    """Bytes have left and no answer came: nobody knows whether the provider took the request."""


class Permanent(StageError):
    """Will fail again for the same reason."""


class Refused(Permanent):
    """A provider will not do this: bad input, refused content, or a key that is not valid."""


class GivenUp(Permanent):
    """A person gave up a paid call that was in doubt; `retry` makes another one."""


class InVain(Permanent):
    """What was bought, and bought again, could not be used; `retry` buys it once more."""


class OutOfCredit(Permanent):
    """The provider's account is empty."""


class Unsupported(Permanent):
    """The provider or the library cannot do this."""


class EventTimeout(Permanent):
    """Nobody answered a gate in time."""


class Rejected(Permanent):
    """A person said no to what was made; a redo makes something new to be looked at."""


class RenderRefused(Permanent):
    """The media library says that the material cannot be used."""


class ScriptFailed(Permanent):
    """A script of one's own ended with an error; the message has its last lines."""


class CheckFailed(Permanent):
    """A finished film is not what was planned; the message has the numbers."""


class StoreError(GenlockError):
    """A file is missing from the store or is not what its name says."""


class BackupError(GenlockError):
    """A backup cannot be made, or is not whole."""


class Skip(Exception):
    """Raised by a stage body: this task has nothing to do, and why."""


class Parked(BaseException):
    """Ends an attempt that waits for a signal or a time; a body must let it pass (hence no Exception)."""

    def __init__(self, reason: str, *, signal: str | None = None, until: datetime | None = None) -> None:
        super().__init__(reason)
        self.reason, self.signal, self.until = reason, signal, until


def is_full(error: BaseException | None) -> bool:
    """Whether an error says that a disk, or somebody's share of it, is full."""
    return isinstance(error, OSError) and error.errno in (errno.ENOSPC, errno.EDQUOT)
