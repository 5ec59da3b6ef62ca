"""What the daemon replied in, its facts with their types out; what is missing is a NoAnswer."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, TypeVar

from scheduler import protocol
from scheduler.errors import NoAnswer
from scheduler.run import Paused

if TYPE_CHECKING:
    from datetime import datetime

    from scheduler.protocol import Json

T = TypeVar("T")


@dataclass(frozen=True, slots=True)
class RunningNow:
    """An attempt that has a process.

    It has run for so many seconds `lasts`, whatever the clock was set to; None if nobody can tell.
    """

    run: int
    job: str
    at: datetime
    zone: str
    attempt: int
    pid: int | None
    started: datetime | None
    lasts: float | None


@dataclass(frozen=True, slots=True)
class WaitingNow:
    """A run that waits for its start or its retry: until `due`, or for what `reason` says.

    Its zone is None where its job is in no crontab any more.
    """

    run: int
    job: str
    at: datetime
    zone: str | None
    attempt: int
    due: datetime | None
    reason: str


@dataclass(frozen=True, slots=True)
class Coming:
    """A job's next run."""

    job: str
    at: datetime
    zone: str


@dataclass(frozen=True, slots=True)
class Crontabs:
    """What there is of entries: their number, their zones', what is refused, what is kept."""

    entries: int
    zones: int
    problems: int
    kept: int


@dataclass(frozen=True, slots=True)
class CrontabFile:
    """A crontab that the daemon has read: its entries in force, and what is refused of it.

    `refused` counts the lines that became no entry, of which the first are in `lines`, each with
    its reason: the code of a problem, and the line of that if it is another. `kept` entries run in
    their last good version.
    """

    file: str
    entries: int
    refused: int
    lines: tuple[int, ...]
    kept: int
    is_readable: bool
    reasons: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True)
class Reads:
    """How the daemon reads its crontabs: named on its command line or not, their form and zone."""

    is_named: bool
    is_system: bool
    zone: str


@dataclass(frozen=True, slots=True)
class ZoneData:
    """A database of zones in use: a folder, a file or a package; its version, if it names one."""

    where: str
    version: str | None
    zones: int


@dataclass(frozen=True, slots=True)
class CatchingUp:
    """A job's instants that came too late and are still to run: `left`, from `at` until `until`."""

    job: str
    at: datetime
    until: datetime
    zone: str
    left: int


@dataclass(frozen=True, slots=True)
class Standing:
    """How a daemon does.

    The rows may be cut; `runs`, `waits`, `pauses` and `backlogs` count them whole.
    """

    version: str
    pid: int
    started: datetime
    state: str
    is_stopping: bool
    crontabs: Crontabs
    last_tick: datetime | None
    now: datetime
    journal: str | None
    zone_data: tuple[ZoneData, ...]
    max_running: int | None
    running: tuple[RunningNow, ...]
    waiting: tuple[WaitingNow, ...]
    paused: tuple[Paused, ...]
    coming: tuple[Coming, ...]
    runs: int
    waits: int
    pauses: int
    in_force: frozenset[str] | None  # of the jobs that were asked about
    reads: Reads | None  # None from a daemon that does not say so yet, like its files
    files: tuple[CrontabFile, ...]
    catching_up: tuple[CatchingUp, ...] = ()  # an older daemon does not say so
    backlogs: int = 0


@dataclass(frozen=True, slots=True)
class Moved:
    """What became of a run that was triggered, retried or killed."""

    run: int
    job: str
    state: str
    attempt: int | None
    reason: str | None


class Members:
    """The members of a JSON object, by their types; NoAnswer for one that is not as promised."""

    def __init__(self, found: object) -> None:
        if not isinstance(found, dict):
            raise _nonsense("object")
        self._found: Json = found

    def text(self, name: str) -> str:
        """Return a text."""
        return self._of(name, str)

    def number(self, name: str) -> int:
        """Return a whole number."""
        return self._of(name, int)

    def truth(self, name: str) -> bool:
        """Return true or false."""
        return self._of(name, bool)

    def time(self, name: str) -> datetime:
        """Return an instant in UTC."""
        try:
            return protocol.instant(self.text(name))
        except ValueError as error:
            raise _nonsense(name) from error

    def maybe_text(self, name: str) -> str | None:
        """Return a text, None for null or where it was left out."""
        return self.text(name) if self.has(name) else None

    def maybe_number(self, name: str) -> int | None:
        """Return a whole number, None for null or where it was left out."""
        return self.number(name) if self.has(name) else None

    def maybe_amount(self, name: str) -> float | None:
        """Return a number, None for null or where it was left out."""
        if not self.has(name):
            return None
        value = self._found[name]
        is_whole = isinstance(value, int) and not isinstance(value, bool)
        return float(self.number(name)) if is_whole else self._of(name, float)

    def maybe_time(self, name: str) -> datetime | None:
        """Return an instant, None for null or where it was left out."""
        return self.time(name) if self.has(name) else None

    def inner(self, name: str) -> Members:
        """Return an object in it."""
        return Members(self._found.get(name))

    def rows(self, name: str) -> list[Members]:
        """Return a list of objects."""
        return [Members(each) for each in self._of(name, list)]

    def maybe_rows(self, name: str) -> list[Members]:
        """Return a list of objects, none for null or where it was left out."""
        return self.rows(name) if self.has(name) else []

    def numbers(self, name: str) -> list[int]:
        """Return a list of whole numbers."""
        found = self._of(name, list)
        if not all(type(each) is int for each in found):
            raise _nonsense(name)
        return found

    def has(self, name: str) -> bool:
        """Say whether there is such a member, and not null."""
        return self._found.get(name) is not None

    def texts(self, name: str) -> list[str]:
        """Return a list of texts."""
        found = self._of(name, list)
        if not all(isinstance(each, str) for each in found):
            raise _nonsense(name)
        return found

    def _of(self, name: str, kind: type[T]) -> T:
        value = self._found.get(name)
        if not isinstance(value, kind) or (kind is int and isinstance(value, bool)):
            raise _nonsense(name)
        return value


def _nonsense(name: str) -> NoAnswer:
    return NoAnswer(f"the daemon's answer has no {name} that makes sense; is it another version?")


def of_status(reply: Json) -> Standing:
    """Return what `status` replied; members that nobody knows yet are no trouble."""
    found = Members(reply)
    counts = found.inner("counts")
    return Standing(
        version=found.text("version"),
        pid=found.number("pid"),
        started=found.time("started"),
        state=found.text("state"),
        is_stopping=found.truth("stopping"),
        crontabs=of_crontabs(reply),
        last_tick=found.maybe_time("last_tick"),
        now=found.time("now"),
        journal=found.maybe_text("journal"),
        zone_data=tuple(map(_zone_data, found.maybe_rows("zone_data"))),
        max_running=found.maybe_number("max_running"),
        running=tuple(map(_running, found.rows("running"))),
        waiting=tuple(map(_waiting, found.rows("waiting"))),
        paused=tuple(map(_paused, found.rows("paused"))),
        coming=tuple(map(_coming, found.rows("next"))),
        runs=counts.number("running"),
        waits=counts.number("waiting"),
        pauses=counts.number("paused"),
        in_force=frozenset(found.texts("in_force")) if "in_force" in reply else None,
        reads=_reads(found.inner("reads")) if found.has("reads") else None,
        files=tuple(map(_file, found.maybe_rows("files"))),
        catching_up=tuple(map(_catching_up, found.maybe_rows("catching_up"))),
        backlogs=counts.maybe_number("catching_up") or 0,
    )


def _catching_up(row: Members) -> CatchingUp:
    return CatchingUp(
        job=row.text("job"),
        at=row.time("at"),
        until=row.time("until"),
        zone=row.text("zone"),
        left=row.number("left"),
    )


def _reads(row: Members) -> Reads:
    return Reads(row.truth("named"), row.truth("system_format"), row.text("zone"))


def _file(row: Members) -> CrontabFile:
    return CrontabFile(
        file=row.text("file"),
        entries=row.number("entries"),
        refused=row.number("refused"),
        lines=tuple(row.numbers("lines")),
        kept=row.number("kept"),
        is_readable=row.truth("readable"),
        reasons=tuple(row.texts("reasons")) if row.has("reasons") else (),
    )


def _zone_data(row: Members) -> ZoneData:
    return ZoneData(row.text("where"), row.maybe_text("version"), row.number("zones"))


def _running(row: Members) -> RunningNow:
    return RunningNow(
        run=row.number("run"),
        job=row.text("job"),
        at=row.time("at"),
        zone=row.text("zone"),
        attempt=row.number("attempt"),
        pid=row.maybe_number("pid"),
        started=row.maybe_time("started"),
        lasts=row.maybe_amount("for_s"),
    )


def _waiting(row: Members) -> WaitingNow:
    return WaitingNow(
        run=row.number("run"),
        job=row.text("job"),
        at=row.time("at"),
        zone=row.maybe_text("zone"),
        attempt=row.number("attempt"),
        due=row.maybe_time("due"),
        reason=row.text("reason"),
    )


def _paused(row: Members) -> Paused:
    return Paused(row.text("job"), row.time("since"), row.maybe_time("until"), row.text("note"))


def _coming(row: Members) -> Coming:
    return Coming(row.text("job"), row.time("at"), row.text("zone"))


def of_crontabs(reply: Json) -> Crontabs:
    """Return what `reload` replied, and `status` among other things."""
    found = Members(reply)
    return Crontabs(
        entries=found.number("entries"),
        zones=found.number("zones"),
        problems=found.number("problems"),
        kept=found.number("kept"),
    )


def replaced_by(reply: Json) -> tuple[Paused, ...]:
    """Return the pauses that a new one replaced, as `pause` replied; an older daemon says none."""
    return tuple(map(_paused, Members(reply).maybe_rows("replaced")))


def of_run(reply: Json) -> Moved:
    """Return what `trigger`, `retry` or `kill` replied."""
    found = Members(reply)
    return Moved(
        run=found.number("run"),
        job=found.text("job"),
        state=found.text("state"),
        attempt=found.maybe_number("attempt"),
        reason=found.maybe_text("reason"),
    )
