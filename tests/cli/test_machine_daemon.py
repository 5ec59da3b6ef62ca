"""Commands of a user about the machine's daemon: when they are, and what comes of it."""

from __future__ import annotations

import json
from contextlib import ExitStack
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from typing import TYPE_CHECKING, Any

import pytest
import typer
from commands import rows
from standin import STATUS, StandIn

from scheduler.cli import state_folder, which_daemon
from scheduler.cli.which_daemon import MACHINE
from scheduler.codec import encode
from scheduler.errors import MeridianError
from scheduler.past import History, HistoryReply, PastAttempt, PastRun
from scheduler.protocol import Kill, Retry, Trigger
from scheduler.system import state_lock
from scheduler.system.clock import RealClock
from scheduler.wire import Refused

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

    from conftest import Person

    from scheduler.peer import Peer
    from scheduler.protocol import Reply, Request

NOON = datetime(2027, 3, 28, 10, 0, tzinfo=UTC)


def told(
    number: int, job: str = "alice.backup", state: str = "succeeded", reason: str | None = None
) -> PastRun:
    at = NOON + timedelta(minutes=number)
    ended = None if state in ("running", "scheduled") else at + timedelta(seconds=3)
    outcome = {"succeeded": "exit 0", "failed": "exit 3"}.get(state)
    attempt = PastAttempt(1, at, ended, outcome, 3.0, 0.1, 4096, 41, None, False, 0, "x")
    return PastRun(
        run=number,
        job=job,
        user="alice",
        at=at,
        zone="Europe/Berlin",
        state=state,
        reason=reason,
        until=None,
        due=None,
        made_up=False,
        by_hand=False,
        reopened=None,
        set_back=None,
        again_from=None,
        attempts=(attempt,),
    )


@dataclass
class Machine(StandIn):
    """The machine's daemon, with runs that are told in pages of two."""

    runs: tuple[PastRun, ...] = ()

    def __post_init__(self) -> None:
        super().__init__()
        self.status = STATUS | {
            "running": [],
            "waiting": [],
            "counts": {"running": 0, "waiting": 0, "paused": 0},
        }

    async def ask(self, request: Request, peer: Peer) -> Reply:
        if not isinstance(request, History):
            return await super().ask(request, peer)
        self.asked.append(request)
        newest = sorted(self.runs, key=lambda run: -run.run)
        if request.run is not None:
            found = [run for run in newest if run.run == request.run]
            return (
                encode(HistoryReply(tuple(found), None)) if found else Refused("no-such-run", "x")
            )
        last = 10**9 if request.page is None else request.page.run
        left = [
            run
            for run in newest
            if run.run < last
            and request.job in ("", run.job)
            and (not request.failed or run.state == "failed")
        ]
        more = f"0.0.{left[1].run}" if len(left) > 2 else None
        return encode(HistoryReply(tuple(left[:2]), more))


@pytest.fixture
def machine(person: Person, monkeypatch: pytest.MonkeyPatch) -> Iterator[Machine]:
    """A daemon of the machine, and a person who is not root and has none."""
    stand_in = Machine()
    path = person.home / "machine" / "control.sock"
    monkeypatch.setattr(which_daemon, "socket", lambda: path)
    monkeypatch.setattr(which_daemon, "_is_root", lambda: False)
    with stand_in.listening(path):
        yield stand_in
    assert stand_in.warnings == []


@pytest.mark.parametrize(
    ("there", "system", "is_machines", "why"),
    [
        ((), False, False, "there is nothing: what is said is about one's own"),
        (("machine",), False, True, "the machine's is all there is"),
        (("machine", "journal"), False, False, "what has run of one's own is one's own"),
        (("machine", "daemon"), False, False, "so is a daemon that runs"),
        (("machine", "journal", "daemon"), True, True, "unless one says so"),
        ((), True, True, "also where none runs, which is said then"),
        (("machine", "root"), False, False, "root's own is the machine's"),
        (("machine", "root"), True, False, "also if it is said"),
        (("machine", "no home"), False, True, "who has no home has nothing of their own"),
        (("machine", "astray"), False, False, "su's variables are told of, not passed by"),
    ],
)  # fmt: skip
def test_which_daemon_is_meant(
    person: Person,
    monkeypatch: pytest.MonkeyPatch,
    there: tuple[str, ...],
    system: bool,
    is_machines: bool,
    why: str,
) -> None:
    def refuses(kind: type[MeridianError]) -> Any:
        def here(_: Path | None = None) -> None:
            raise kind("no")

        return here

    socket = person.home / "machine.sock"
    monkeypatch.setattr(which_daemon, "socket", lambda: socket)
    monkeypatch.setattr(which_daemon, "_is_root", lambda: "root" in there)
    person.state.mkdir()
    with ExitStack() as running:
        if "machine" in there:
            socket.touch()
        if "journal" in there:
            (person.state / "journal.db").touch()
        if "daemon" in there:
            running.enter_context(state_lock.held(person.state))
        for kind, error in (("no home", MeridianError), ("astray", state_folder.NotYours)):
            if kind in there:
                monkeypatch.setattr(state_folder, "here", refuses(error))
        found = which_daemon.chosen(None, system=system)
    assert (found is MACHINE) is is_machines, why


def test_system_and_state_are_two_daemons(person: Person) -> None:
    with pytest.raises(typer.BadParameter, match="name one"):
        which_daemon.chosen(person.state, system=True)


def rows_of(person: Person, *words: str) -> list[dict[str, Any]]:
    return rows(person.types(*words, "--json"))


def test_a_monitor_that_names_two_daemons_hears_that_nobody_can_tell(person: Person) -> None:
    refused = person.types("status", "--check", "--system", "--state", str(person.state))
    assert (refused.exit_code, "name one" in refused.stderr) == (3, True)


def test_a_history_is_asked_for_page_by_page(person: Person, machine: Machine) -> None:
    machine.runs = tuple(told(number) for number in range(1, 6))
    assert [row["run"] for row in rows_of(person, "history")] == [1, 2, 3, 4, 5]
    assert [row["run"] for row in rows_of(person, "history", "-n", "3")] == [3, 4, 5]
    assert {row["user"] for row in rows_of(person, "history")} == {"alice"}
    assert "USER" in person.types("history").stdout
    (whole,) = rows_of(person, "history", "3")
    assert (whole["run"], whole["attempts"][0]["outcome"]) == (3, "exit 0")


@pytest.mark.parametrize(
    ("words", "status", "said", "why"),
    [
        ((), 0, "Nothing of yours has run yet", "there is nothing at all"),
        (("nosuch",), 1, "There is no job or run 'nosuch' of yours", "nobody's, or another's"),
        (("alice.new",), 0, "Nothing is kept of alice.new", "a job of hers that has not run"),
        (("7",), 1, "There is no run 7", "nobody's, or another's"),
    ],
)
def test_nothing_is_said_to_be_nothing(
    person: Person, machine: Machine, words: tuple[str, ...], status: int, said: str, why: str
) -> None:
    machine.in_force = frozenset({"alice.new"})
    found = person.types("history", *words)
    assert (found.exit_code, found.stdout) == (status, ""), why
    assert said in found.stderr, why


def test_none_of_a_kind_is_said_to_be_so(person: Person, machine: Machine) -> None:
    machine.runs = (told(1),)
    found = person.types("history", "alice.backup", "--failed")
    assert "There is no failed run of alice.backup" in found.stderr


def test_what_only_root_is_told_is_refused_with_the_way_to_it(
    person: Person, machine: Machine
) -> None:
    refused = person.types("history", "--jumps")
    assert (refused.exit_code, "sudo meridian history --jumps" in refused.stderr) == (2, True)
    assert machine.asked == []


@pytest.mark.parametrize("words", [("why", "alice.backup"), ("alerts",)])
def test_what_reads_the_journal_is_roots(
    person: Person, machine: Machine, words: tuple[str, ...]
) -> None:
    refused = person.types(*words)
    assert refused.exit_code == 1
    assert refused.stderr.endswith(f"the machine's daemon is root's: sudo meridian {words[0]}\n")
    assert machine.asked == []


@pytest.mark.parametrize(
    ("words", "request_"),
    [
        (("trigger", "alice.backup"), Trigger("alice.backup")),
        (("kill", "alice.backup"), Kill(3)),
        (("retry", "alice.report"), Retry(2)),
    ],
)
def test_by_hand_a_job_stands_for_its_run(
    person: Person, machine: Machine, words: tuple[str, ...], request_: Request
) -> None:
    machine.runs = (told(1), told(2, "alice.report", "failed"), told(3, state="running"))
    reply = {"run": 3, "job": "alice.backup", "state": "running"}
    machine.replies = {type(request_): reply}
    done = person.types(*words)
    assert (done.exit_code, machine.asked[-1]) == (0, request_), done.stderr
    if "logs" in done.stdout:
        assert done.stdout.endswith("see meridian logs 3 --system\n")


def test_a_status_says_which_of_ones_jobs_fail(
    person: Person, machine: Machine, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(RealClock, "now", lambda _: NOON + timedelta(hours=1))
    machine.runs = (
        *(told(1, "alice.ok", "failed"), told(2, "alice.ok")),
        *(told(3, "alice.bad"), told(4, "alice.bad", "failed"), told(5, "alice.bad", "failed")),
        told(6, "alice.ended", "failed", reason="killed by hand"),
    )
    machine.in_force = frozenset({"alice.ok", "alice.bad", "alice.ended"})
    (row,) = [json.loads(line) for line in person.types("status", "--json").stdout.splitlines()]
    assert [(each["job"], each["times"]) for each in row["failing"]] == [("alice.bad", 2)]
    checked = person.types("status", "--check")
    assert (checked.exit_code, "alice.bad (run 5)" in checked.stdout) == (2, True), checked.stdout


def test_a_machine_without_a_daemon_is_said_to_be(
    person: Person, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(which_daemon, "socket", lambda: person.home / "none.sock")
    monkeypatch.setattr(which_daemon, "_is_root", lambda: False)
    refused = person.types("trigger", "x", "--system")
    assert refused.exit_code == 1
    assert "the machine's daemon does not run" in refused.stderr
    assert "meridian run --system" in refused.stderr
