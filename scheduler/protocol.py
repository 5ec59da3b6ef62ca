"""What may be asked of a running daemon, and its answers: lines of its socket in, requests out.

`docs/control.md` describes them for whoever writes a client; `wire` writes them. Whatever bytes
come in, reading them ends in a request or in the reason why it is none.
"""

from __future__ import annotations

import json
from dataclasses import MISSING, dataclass, fields
from datetime import datetime  # noqa: TC003 (the codec reads the types)
from typing import TYPE_CHECKING, Any

from scheduler.errors import BadValue
from scheduler.past import History, HistoryReply, OpenOutput, Output, OutputReply
from scheduler.pause import Paused  # noqa: TC001 (as above)
from scheduler.request_members import REQUEST_MEMBERS
from scheduler.status import Crontabs, Snapshot, Status
from scheduler.suggestions import did_you_mean, nearest
from scheduler.text import shortened
from scheduler.wire import VERSION, Received, Refused, verb_of

if TYPE_CHECKING:
    from collections.abc import Callable, Collection

LONGEST_LINE = 1_048_576  # bytes of a request, its newline included: a crontab may be in it


@dataclass(frozen=True, slots=True)
class Trigger:
    """Start a run of this job now, whatever its schedule says."""

    job: str


@dataclass(frozen=True, slots=True)
class Retry:
    """Start the next attempt of this run now."""

    run: int


@dataclass(frozen=True, slots=True)
class Kill:
    """End this run, or let go of it where it waits; it is not tried again."""

    run: int


@dataclass(frozen=True, slots=True)
class Pause:
    """Start nothing of these jobs by their schedule, until `until` (None: until told)."""

    jobs: tuple[str, ...]
    until: datetime | None = None
    note: str = ""


@dataclass(frozen=True, slots=True)
class Resume:
    """Let these jobs go by their schedules again."""

    jobs: tuple[str, ...]


@dataclass(frozen=True, slots=True)
class Reload:
    """Read the crontabs again."""


@dataclass(frozen=True, slots=True)
class Inherited:
    """Say what every job of this daemon inherits, whatever its crontab sets."""


@dataclass(frozen=True, slots=True)
class Table:
    """Say what is in the asker's own table, in cron's spool."""


@dataclass(frozen=True, slots=True)
class SaveTable:
    """Let this text be the asker's own table; see `table_text`.

    With a `base` only if the table is still the one of that fingerprint: `crontab_spool` has it.
    """

    text: str
    base: str | None = None


@dataclass(frozen=True, slots=True)
class RemoveTable:
    """Take the asker's own table away."""


TableRequest = Table | SaveTable | RemoveTable
PastRequest = History | Output
PresentRequest = (
    Status | Trigger | Retry | Kill | Pause | Resume | Reload | Inherited | TableRequest
)
Request = PresentRequest | PastRequest


# --- replies -------------------------------------------------------------------------------------


@dataclass(frozen=True, slots=True)
class RunReply:
    """What became of a run that was triggered, retried or killed; the instant it is due `at`.

    Its state and the reason are words of the journal, or of a newer daemon's. Attempts count from
    1; 0 is none yet.
    """

    run: int
    job: str
    at: datetime | None
    attempt: int | None
    state: str
    reason: str | None


@dataclass(frozen=True, slots=True)
class PauseReply:
    """Which jobs are paused now, until when (None: until told), and the pauses this replaced."""

    jobs: tuple[str, ...]
    until: datetime | None
    replaced: tuple[Paused, ...] = ()  # an older daemon does not say so


@dataclass(frozen=True, slots=True)
class ResumeReply:
    """Which jobs go by their schedules again, for good: `until` is None."""

    jobs: tuple[str, ...]
    until: datetime | None = None


@dataclass(frozen=True, slots=True)
class Variable:
    """A variable of an environment, as it is: the value of one with a secret name, too."""

    name: str
    value: str


@dataclass(frozen=True, slots=True)
class InheritedEnvironment:
    """What jobs inherit, whole: whoever is answered may start a job that prints it.

    Who shows it to a person masks it. `umask` is the daemon's, as in a shell: "0022".
    """

    variables: tuple[Variable, ...]
    umask: str


@dataclass(frozen=True, slots=True)
class TableReply:
    """Whose table it is, and what its file has, the header too; see `table_text`."""

    user: str
    text: str


@dataclass(frozen=True, slots=True)
class TableChanged:
    """Whose table was saved or removed."""

    user: str


Answer = (  # what was done
    Snapshot
    | RunReply
    | PauseReply
    | ResumeReply
    | Crontabs
    | InheritedEnvironment
    | TableReply
    | TableChanged
    | HistoryReply
    | OutputReply
)
Answered = Answer | OpenOutput  # before it is sent
Reply = Answered | Received


# --- the verbs -----------------------------------------------------------------------------------

VERBS: dict[str, type[Request]] = {
    verb_of(kind): kind
    for kind in (
        *(Status, Trigger, Retry, Kill, Pause, Resume, Reload, Inherited),
        *(Table, SaveTable, RemoveTable),
        *(History, Output),
    )
}


def read(line: bytes) -> Request | Refused:
    """Return what a line asks for, or why nobody can tell; never raises."""
    try:
        members = _object(line)
        _check_version(members.pop("meridian", None))
        kind = _kind(members.pop("do", None))
        return kind(**_arguments(kind, members))
    except BadValue as error:
        hint = f"; {error.hint}" if error.hint else ""
        return Refused(error.code, f"{error.message}{hint}")


# --- reading a request ---------------------------------------------------------------------------


def _object(line: bytes) -> dict[str, Any]:
    if len(line) > LONGEST_LINE:
        raise BadValue("too-long", f"a request is one line of at most {LONGEST_LINE} bytes")
    try:
        found = json.loads(
            line.decode(), object_pairs_hook=_without_doubles, parse_constant=_no_constant
        )
    except (ValueError, RecursionError) as error:
        hint = 'write {"meridian": 1, "do": "status"}'
        raise BadValue("not-json", "this line is not JSON in UTF-8", hint=hint) from error
    if not isinstance(found, dict):
        raise BadValue("not-json", "a request is a JSON object", hint="begin it with {")
    return found


def _without_doubles(pairs: list[tuple[str, Any]]) -> dict[str, Any]:
    """Refuse a member given twice, of which every reader would take the one it likes."""
    found = dict(pairs)
    if len(found) < len(pairs):
        raise BadValue("double-member", "a member is there twice", hint="name each once")
    return found


def _no_constant(name: str) -> None:
    raise ValueError(name)  # NaN and Infinity are Python's, not JSON's


def _check_version(version: object) -> None:
    if type(version) is not int or version < 1:
        raise BadValue("no-version", f'a request names its version: "meridian": {VERSION}')
    if version > VERSION:
        message = f"version {shortened(str(version))} of the protocol is newer than this daemon"
        raise BadValue("newer-version", message, hint=f'ask with "meridian": {VERSION}')


def _kind(verb: object) -> Callable[..., Request]:
    if not isinstance(verb, str):
        raise BadValue("missing-member", "a request says what to do", hint='add "do": "status"')
    if verb not in VERBS:
        message = f"there is nothing called {shortened(verb)} to do"
        raise BadValue("unknown-verb", message, hint=_near(verb, VERBS))
    return VERBS[verb]


def _arguments(kind: Callable[..., Request], members: dict[str, Any]) -> dict[str, object]:
    """Return the request's own members, each read; those that may be missing may be."""
    known = {field.name: field.default for field in fields(kind)}  # type: ignore[arg-type]  # of a dataclass
    for name in members:
        if name not in known:
            message = f"this request has no member {shortened(name)}"
            raise BadValue("unknown-member", message, hint=_near(name, known))
    for name, default in known.items():
        if name not in members and default is MISSING:
            hint = f'add "{name}": {REQUEST_MEMBERS[name].example}'
            raise BadValue("missing-member", f"this request needs a {name}", hint=hint)
    return {name: _argument(name, value) for name, value in members.items()}


def _near(name: str, known: Collection[str]) -> str:
    every = ", ".join(known) or "none"
    return did_you_mean(nearest(name, known)) or f"there are: {every}"


def _argument(name: str, value: object) -> object:
    member = REQUEST_MEMBERS[name]
    try:
        return member.read(value)
    except ValueError as error:
        hint = f'write "{name}": {member.example}'
        raise BadValue("bad-value", f"{name} is {member.wants}", hint=hint) from error
