"""Commands of a user about the machine's daemon: when they are, and what comes of it."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from contextlib import ExitStack
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from typing import TYPE_CHECKING, Any

import pytest
import typer
from commands import completed, rows
from standin import STATUS, StandIn
from users import CAN_READ, OWNER, as_user, new_folder

from scheduler.cli import state_folder, which_daemon
from scheduler.cli.doctor import other_crons
from scheduler.cli.which_daemon import MACHINE
from scheduler.codec import encode
from scheduler.errors import MeridianError
from scheduler.journal.journal import Journal
from scheduler.past import History, HistoryReply, PastAttempt, PastRun
from scheduler.pause import Paused
from scheduler.protocol import Kill, Retry, Table, TableReply, Trigger
from scheduler.status import Status
from scheduler.system import accounts, state_lock
from scheduler.system.accounts import Account
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
        (("machine", "crontab"), False, False, "and a crontab, which nobody may run yet"),
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
        journal = person.state / "journal.db"
        files = {"machine": socket, "journal": journal, "crontab": person.crontab}
        for name in files.keys() & set(there):
            files[name].parent.mkdir(parents=True, exist_ok=True)
            files[name].touch()
        if "daemon" in there:
            running.enter_context(state_lock.held(person.state))
        for kind, error in (("no home", MeridianError), ("astray", state_folder.NotYours)):
            if kind in there:
                monkeypatch.setattr(state_folder, "here", refuses(error))
        found = which_daemon.chosen(None, system=system)
    assert (found is MACHINE) is is_machines, why


@pytest.mark.privileged
@pytest.mark.parametrize(("mode", "meant"), [(0o600, "None"), (0o666, "Machine.DAEMON")])
def test_a_daemon_that_hears_root_alone_is_not_meant(mode: int, meant: str) -> None:
    with new_folder() as home:
        socket = home / "machine.sock"
        socket.touch()
        socket.chmod(mode)
        typed = (
            "from pathlib import Path; from scheduler.cli import which_daemon as which;"
            f"which.socket = lambda: Path({str(socket)!r}); print(which.chosen(None, system=False))"
        )
        asking = as_user(OWNER, *CAN_READ, sys.executable, "-c", typed)
        environ = {"HOME": str(home), "PATH": os.environ["PATH"]}
        done = subprocess.run(asking, env=environ, capture_output=True, text=True, check=False)
    assert (done.stdout.strip(), done.stderr) == (meant, "")


def test_the_machine_s_daemon_is_found_from_a_unit_with_folders_of_its_own(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    before = which_daemon.socket()
    for name in ("RUNTIME_DIRECTORY", "STATE_DIRECTORY", "XDG_RUNTIME_DIR", "HOME"):
        monkeypatch.setenv(name, "/run/app")
    assert which_daemon.socket() == before


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


@pytest.mark.parametrize(
    ("there", "said", "why"),
    [
        (("folder",), "does not run: root starts it: systemctl start meridian", "it is stopped"),
        ((), "nothing has run yet", "the machine has none"),
        (("folder", "root"), "nothing has run yet", "root's own is the machine's"),
    ],
)
@pytest.mark.parametrize("words", [("history",), ("logs", "alice.backup")])
def test_what_a_stopped_daemon_of_the_machine_has_run_is_not_nothing(
    person: Person,
    monkeypatch: pytest.MonkeyPatch,
    words: tuple[str, ...],
    there: tuple[str, ...],
    said: str,
    why: str,
) -> None:
    folder = person.home if "folder" in there else person.home / "none"
    monkeypatch.setattr(which_daemon, "folder", lambda: folder)
    monkeypatch.setattr(which_daemon, "socket", lambda: person.home / "none.sock")
    monkeypatch.setattr(which_daemon, "_is_root", lambda: "root" in there)
    refused = person.types(*words)
    assert (refused.exit_code, said in refused.stderr) == (1, True), why


# --- one's own crontab, where the machine's daemon keeps it --------------------------------------

SPOOLED = "/var/spool/cron/crontabs/alice"
HERS = f"Your crontab that the machine's daemon (pid 4242) runs: {SPOOLED}\n"
TABLE = """\
# DO NOT EDIT THIS FILE - edit the master and reinstall.
# (- installed on Sun Mar 28 01:00:00 2027)
# (Cron version -- 1)
CRON_NAME=backup 30 2 * * * exec true
0 61 * * * x
"""


@pytest.fixture
def alice(machine: Machine, monkeypatch: pytest.MonkeyPatch) -> Machine:
    """The machine's daemon, which keeps the crontab of somebody who has nothing of her own."""
    machine.replies[Table] = encode(TableReply("alice", TABLE))
    account = Account("alice", os.geteuid(), os.getegid(), (), "/home/alice")
    monkeypatch.setattr(accounts, "uid_of", {"alice": 60001}.get)
    monkeypatch.setattr(accounts, "find", {"alice": account}.get)
    return machine


@pytest.mark.usefixtures("alice")
@pytest.mark.parametrize(
    ("words", "job"),
    [
        (("list",), "alice.backup"),
        (("next", "-n", "2"), "alice.backup"),
        (("simulate", "--from", "2027-03-27", "--until", "1d"), "alice.backup"),
        (("audit", "--year", "2027"), "alice.backup"),
        (("check",), f"{SPOOLED}:5:3"),
        (("env", "alice.backup"), "CRON_JOB=alice.backup"),
    ],
)
def test_the_table_that_the_machine_s_daemon_keeps_is_ones_own(
    person: Person, words: tuple[str, ...], job: str
) -> None:
    shown = person.types(*words)
    assert job in shown.stdout
    assert HERS in shown.stderr
    assert "there is no crontab" not in shown.stderr
    assert HERS not in person.types(*words, "--json").stderr


@pytest.mark.parametrize(
    ("there", "why"),
    [
        ("crontab", "one's own is another, which no daemon may run yet"),
        ("daemon", "one's own daemon has its own crontabs"),
        ("root", "root's is the machine's"),
        ("no table", "she has none there either"),
    ],
)
def test_who_has_another_crontab_means_that(
    person: Person, alice: Machine, monkeypatch: pytest.MonkeyPatch, there: str, why: str
) -> None:
    person.state.mkdir()
    with ExitStack() as running:
        if there == "crontab":
            person.has("CRON_NAME=own " + person.line("0 9 * * *", "echo"))
        if there == "daemon":
            running.enter_context(state_lock.held(person.state))
        if there == "root":
            monkeypatch.setattr(which_daemon, "_is_root", lambda: True)
        if there == "no table":
            alice.replies[Table] = Refused("no-table", "no crontab for alice")
        found = person.types("list")
    assert SPOOLED not in found.stdout + found.stderr, why
    assert ("own" in found.stdout) is (there == "crontab"), why


@pytest.mark.parametrize(
    ("line", "names", "why"),
    [
        ("meridian trigger ", ["alice.backup", "alice.old", "mail", "mirror"], "what it tells of"),
        ("meridian env alice.b", ["alice.backup"], "--system is no option there"),
        ("meridian logs --system alice.o", ["alice.old"], "it may be named"),
        ("meridian logs --state /nowhere alice.", [], "another is meant"),
    ],
)
def test_a_shell_completes_what_the_machine_s_daemon_tells_of(
    alice: Machine, line: str, names: list[str], why: str
) -> None:
    alice.runs = (told(1, "alice.old"),)
    assert completed(line) == names, why


@pytest.mark.parametrize("refused", [Table, Status])
def test_a_shell_completes_what_is_told_where_the_rest_is_not(
    alice: Machine, refused: type[Request]
) -> None:
    alice.runs = (told(1, "alice.old"),)
    alice.replies[refused] = Refused("not-allowed", "You (alice) are not allowed")
    assert completed("meridian logs alice.o") == ["alice.old"]


def test_why_the_table_is_not_shown_is_told(person: Person, alice: Machine) -> None:
    alice.replies[Table] = Refused("not-allowed", "You (alice) are not allowed")
    refused = person.types("list")
    assert (refused.exit_code, "You (alice) are not allowed" in refused.stderr) == (1, True)


def test_a_table_that_is_left_to_cron_is_not_said_to_be_run(person: Person, alice: Machine) -> None:
    why = "cron (pid 12) runs them"
    alice.status |= {"reads": STATUS["reads"] | {"system": True, "without_cron": why}}
    told = person.types("list").stderr
    assert f"{SPOOLED}, which the machine's daemon (pid 4242) leaves alone: {why}\n" in told


@pytest.mark.usefixtures("alice")
def test_to_doctor_one_table_of_two_crons_runs_once(
    person: Person, monkeypatch: pytest.MonkeyPatch
) -> None:
    theirs = {"crontab -l": other_crons.keys(TABLE.encode(), is_system=False)}
    monkeypatch.setattr(other_crons, "running", lambda _: [(7, "cron")])
    monkeypatch.setattr(other_crons, "_theirs", theirs.items)
    found = [row for row in rows(person.types("doctor", "--json")) if row["check"] == "other crons"]
    assert [(row["level"], "never by both" in row["message"]) for row in found] == [("ok", True)]


@pytest.mark.usefixtures("machine")
@pytest.mark.parametrize("command", ["status", "doctor"])
def test_how_the_machine_s_daemon_is_asked_goes_for_each_command(
    person: Person, monkeypatch: pytest.MonkeyPatch, command: str
) -> None:
    own = person.home / "config" / "crontab"  # where it is of who is not root
    own.parent.mkdir()
    own.write_text("0 9 * * * x\n")
    monkeypatch.setattr(os, "geteuid", lambda: 60001)
    told = person.types(command)
    words = " ".join((told.stdout + told.stderr).split())
    assert "the machine's own tells: meridian status --system" in words


def test_what_the_machine_s_daemon_knows_of_its_jobs_is_asked(
    person: Person, alice: Machine, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(RealClock, "now", lambda _: NOON + timedelta(hours=1))
    alice.runs = (told(1), told(2, state="failed"))
    alice.status |= {"paused": [encode(Paused("alice.backup", NOON))]}
    (row,) = rows_of(person, "list")
    assert (row["last"]["run"], row["last"]["state"], row["paused"]) == (2, "failed", True)
    assert "paused" in person.types("next", "-n", "1").stdout


@pytest.mark.usefixtures("alice")
def test_its_jobs_find_what_that_daemon_gives_them(
    person: Person, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(state_folder, "account", lambda _: ("alice", "/home/alice"))
    monkeypatch.setenv("OF_THIS_SHELL", "x")
    shown = person.types("env", "alice.backup")
    assert "As cron gives it to the jobs of alice" in shown.stderr
    assert "OF_THIS_SHELL" not in shown.stdout
    assert "PATH=/usr/bin:/bin\n" in shown.stdout


@pytest.mark.usefixtures("alice")
def test_a_journal_of_ones_own_does_not_answer_for_them(person: Person) -> None:
    person.state.mkdir(mode=0o700)
    Journal.open(person.state / "journal.db").close()
    refused = person.types("why", "alice.backup", "2027-03-28T00:30Z")
    assert (refused.exit_code, "sudo meridian why" in refused.stderr) == (1, True)
