"""status: how the daemon does, for a person, a program, a terminal that is watched, a monitor."""

from __future__ import annotations

import json
import os
import pty
import re
import select
import signal
import subprocess
import sys
import threading
from contextlib import closing, contextmanager, suppress
from datetime import UTC, datetime, timedelta
from itertools import takewhile
from typing import TYPE_CHECKING, Any

import pytest
from rich.text import Text
from standin import STATUS, StandIn

from scheduler.cli.commands.status import _screen
from scheduler.cli.own_zone import own_zone
from scheduler.journal.journal import Journal
from scheduler.journal.rows import NoticeState
from scheduler.notice import Facts, Kind, Notice, Recipient
from scheduler.run import Ending, Exited, Reason, State
from scheduler.status import Status
from scheduler.system import control_listener
from scheduler.system.clock import RealClock
from scheduler.wire import Refused

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

    from conftest import Person

ONE = datetime(2027, 3, 28, 1, 0, tzinfo=UTC)  # the hour that Berlin's clocks skip
SECOND = timedelta(seconds=1)
HOSTILE = "\x1b[2J\x1b]0;owned\x07\u202e\r\n|"


@pytest.fixture
def daemon(person: Person) -> Iterator[StandIn]:
    stand_in = StandIn()
    with stand_in.listening(socket(person)):
        yield stand_in
    assert stand_in.warnings == []


@pytest.fixture(autouse=True)
def now(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(RealClock, "now", lambda _: ONE + 90 * SECOND)


def socket(person: Person) -> Path:
    return person.home / "run" / "control.sock"


@contextmanager
def journal(person: Person) -> Iterator[Journal]:
    person.state.mkdir(exist_ok=True)
    with closing(Journal.open(person.state / "journal.db")) as opened:
        yield opened


def ended(journal: Journal, job: str, state: State, at: datetime = ONE) -> int:
    run = journal.claim(job, at, "UTC")
    assert run is not None
    attempt = journal.claim_attempt(run, 1, "outputs/x")
    assert attempt is not None
    journal.started(attempt, at, 7, None)
    journal.ended(attempt, Ending(Exited(1), at + SECOND))
    if state is State.SCHEDULED:
        journal.retry(run, at + 60 * SECOND)
    else:
        journal.finish(run, state, Reason.EXHAUSTED if state is State.FAILED else None)
    return run.number


def not_told(journal: Journal, *ages: timedelta | None) -> None:
    """Let alerts have been given up so long ago, or wait to be tried again (None)."""
    for age in ages:
        journal.outbox.add(Notice("|tell", Kind.FAILURE, ONE, Facts("job", "", "", 1, "UTC")))
        (taken,) = journal.outbox.take(Recipient("|tell"))
        rows = journal.outbox.of_delivery(taken.number)
        if age is not None:
            journal.outbox.end(rows, NoticeState.FAILED, ONE - age, "refused")
    for row in journal.outbox.notices(NoticeState.SENDING):
        due = ONE + 60 * SECOND
        journal.outbox.wait(row, due, "refused", delivery=row.number, tried=True, unsure=False)


# --- for a person --------------------------------------------------------------------------------


def test_a_person_reads_what_runs_waits_is_paused_and_comes(
    person: Person, daemon: StandIn
) -> None:
    result = person.types("status")
    assert daemon.asked == [Status()]
    assert result.exit_code == 0
    assert (
        result.stdout
        == """\
Meridian 0.1.0, pid 4242, up for 31 min 30 s
Since     Sun 2027-03-28 01:30 Europe/Berlin
State     /var/lib/meridian
Crontabs  12 entries in 3 zones of /etc/meridian/crontabs/crontab
Minute    Sun 2027-03-28 03:00 Europe/Berlin was handled last: in time
Zones     3 zones from /usr/share/zoneinfo, 2027a

1 running of at most 50
RUN  JOB     SCHEDULED             ZONE           ATTEMPT  PID  FOR
7    backup  Sun 2027-03-28 01:45  Europe/Berlin  1        123  16 min 30 s

1 waiting
RUN  JOB     SCHEDULED             ZONE        ATTEMPT  DUE                      WHY
8    report  Sun 2027-03-28 10:00  Asia/Tokyo  2        Sun 2027-03-28 10:02:00  retry

1 job with missed instants that are still to run
JOB     LEFT  NEXT                  UNTIL                 ZONE
import  65    Sat 2027-03-27 15:20  Sun 2027-03-28 03:00  Europe/Berlin

1 paused
JOB     SINCE                 UNTIL          NOTE
mirror  Sat 2027-03-27 13:00  until resumed  disk is full

Next
JOB   AT                    ZONE           IN
mail  Sun 2027-03-28 03:05  Europe/Berlin  in 3 min 30 s
"""
    )


def shown(person: Person, daemon: StandIn, **members: Any) -> str:
    daemon.status = STATUS | members
    return person.types("status").stdout


def test_what_is_wrong_is_said_at_the_top(person: Person, daemon: StandIn) -> None:
    trouble = {"problems": 2, "kept": 1, "journal": "the disk is full", "stopping": True}
    head = shown(person, daemon, **trouble, last_tick="2027-03-28T00:50:00Z").splitlines()[:8]
    assert head[3:7] == [
        "Crontabs  12 entries in 3 zones; 2 problems, which meridian check shows; 1 unreadable entry kept in the last good version of /etc/meridian/crontabs/crontab",
        "Minute    Sun 2027-03-28 01:50 Europe/Berlin was handled last: 11 min 30 s behind the clock",
        "Journal   refuses: the disk is full; nothing new starts",
        "Stopping  no new runs; what runs is waited for",
    ]


def test_zone_data_may_come_from_several_folders_and_name_no_version(
    person: Person, daemon: StandIn
) -> None:
    system = {"where": "/usr/share/zoneinfo", "version": None, "zones": 2}
    package = {"where": "the tzdata package", "version": "2027b", "zones": 1}
    text = shown(person, daemon, zone_data=[system, package])
    two = "2 zones from /usr/share/zoneinfo, of an unknown version"
    assert f"\nZones     {two}; 1 zone from the tzdata package, 2027b\n" in text


def test_a_daemon_that_has_just_begun_has_little_to_say(person: Person, daemon: StandIn) -> None:
    nothing: dict[str, Any] = {
        "running": [],
        "waiting": [],
        "paused": [],
        "catching_up": [],
        "next": [],
        "last_tick": None,
        "zone_data": [],
    }
    counts = {"counts": {"running": 0, "waiting": 0, "paused": 0}}
    lines = shown(person, daemon, **nothing, **counts).splitlines()
    assert lines[-1] == "Minute    none handled yet"
    assert len(lines) == 5


def test_rows_that_were_cut_are_said_to_be(person: Person, daemon: StandIn) -> None:
    counts = {"running": 3000, "waiting": 7, "paused": 101}
    text = shown(person, daemon, counts=counts, max_running=None)
    assert "\n3000 running, 1 of them shown\n" in text
    assert "\n7 waiting, 1 of them shown\n" in text
    assert "\n101 paused, 1 of them shown\n" in text
    assert checked(person) == ("OK: 12 entries, 3000 running, 7 waiting, 101 paused", 0)


def test_what_is_not_known_is_blank(person: Person, daemon: StandIn) -> None:
    running = STATUS["running"][0] | {"pid": None, "started": None, "for_s": None}
    waiting = STATUS["waiting"][0] | {"due": None, "reason": "its pool is full", "zone": "Mars/X"}
    gone = STATUS["waiting"][0] | {"job": "gone", "zone": None}
    paused = STATUS["paused"][0] | {"until": "2027-03-28T10:00:00Z", "note": ""}
    text = shown(person, daemon, running=[running], waiting=[waiting, gone], paused=[paused])
    assert re.search(r"01:45  Europe/Berlin +1\n", text)
    assert re.search(r"01:00  Mars/X +2 +its pool is full\n", text)
    assert re.search(r"gone +Sun 2027-03-28 01:00  UTC +2 +Sun 2027-03-28 01:02:00 +retry\n", text)
    assert re.search(r"mirror +Sat 2027-03-27 13:00 +Sun 2027-03-28 12:00\n", text)


def file(name: str, **members: Any) -> dict[str, Any]:
    row: dict[str, Any] = STATUS["files"][0]
    return row | {"file": name} | members


def test_that_a_cron_runs_its_own_tables_is_told(person: Person, daemon: StandIn) -> None:
    why = "a cron daemon (cron, pid 12) has /run/crond.pid"
    daemon.status = STATUS | {"reads": STATUS["reads"] | {"system": True, "without_cron": why}}
    assert f"Cron      its tables are not read: {why}" in person.types("status").stdout
    assert f"cron's tables are not run: {why}" in checked(person)[0]


def test_the_crontabs_are_named_with_the_entries_that_are_refused(
    person: Person, daemon: StandIn
) -> None:
    files = [
        file("/a", entries=1),
        file("/b", entries=2, refused=2, lines=[2, 3], reasons=["unknown-zone on line 1"] * 2),
        file("/c", entries=1, refused=1, lines=[7], kept=1, reasons=["reversed-range"]),
        file("/d", entries=4, readable=False, kept=4),
        file("/e", entries=0, refused=9, lines=[1, 2, 3, 4, 5, 6, 7, 8, 9]),
    ]
    lines = shown(person, daemon, files=files, problems=5).splitlines()
    assert lines[3:9] == [
        "Crontabs  12 entries in 3 zones; 5 problems, which meridian check shows",
        "          /a: 1 entry",
        "          /b: 2 entries, 2 entries refused: lines 2 and 3 (unknown-zone on line 1)",
        "          /c: 1 entry, 1 entry refused: line 7 (reversed-range), 1 kept in the last good version",
        "          /d: 4 entries, can't be read, 4 kept in the last good version",
        "          /e: no entries, 9 entries refused: lines 1, 2, 3, 4, 5 and 4 more",
    ]
    text, status = checked(person)
    told = "/b: 2 entries, 2 entries refused: lines 2 and 3 (unknown-zone on line 1), "
    assert f"5 problems in the crontabs; {told}" in text
    assert "/a" not in text
    assert status == 1


def test_of_many_crontabs_those_with_trouble_are_named(person: Person, daemon: StandIn) -> None:
    files = [file(f"/{n}", refused=n // 9, lines=[1][: n // 9]) for n in range(10)]
    lines = shown(person, daemon, files=files).splitlines()
    assert lines[4:6] == [
        "          /9: 12 entries, 1 entry refused: line 1",
        "          … 9 more files",
    ]


def test_what_fails_is_shown_first_with_since_when_and_how_often(
    person: Person, daemon: StandIn
) -> None:
    daemon.in_force = frozenset({"backup", "once"})
    with journal(person) as opened:
        ended(opened, "backup", State.SUCCEEDED, ONE - 9 * 3600 * SECOND)
        for hours in (8, 7, 6):
            ended(opened, "backup", State.FAILED, ONE - hours * 3600 * SECOND)
        ended(opened, "removed", State.FAILED)
        ended(opened, "once", State.FAILED)
    sections = person.types("status").stdout.split("\n\n")
    title, *table, last = sections[1].splitlines()
    assert title == "2 failing"
    assert [re.split("  +", line) for line in table] == [
        ["RUN", "JOB", "SCHEDULED", "ZONE", "SINCE", "FAILED", "HOW"],
        ["4", "backup", "Sat 2027-03-27 19:00", "UTC", "Sat 2027-03-27 17:00", "3 times", "exit 1, no attempts left"],
    ]  # fmt: skip
    assert re.split("  +", last)[4:] == ["1 time", "exit 1, no attempts left"]
    first, second = json.loads(person.types("status", "--json").stdout)["failing"]
    assert first == {
        "job": "backup",
        "run": 4,
        "at": "2027-03-27T19:00:00Z",
        "zone": "UTC",
        "since": "2027-03-27T17:00:00Z",
        "times": 3,
        "how": "exit 1, no attempts left",
    }
    assert (second["job"], second["times"]) == ("once", 1)


def test_where_nobody_can_tell_what_fails_that_is_said(person: Person, daemon: StandIn) -> None:
    person.state.mkdir()
    (person.state / "journal.db").write_bytes(b"x" * 5000)
    assert "Failing   nobody can tell: the journal can't be read\n" in shown(person, daemon)
    assert json.loads(person.types("status", "--json").stdout)["failing"] is None


def test_nothing_that_others_wrote_steers_the_terminal(person: Person, daemon: StandIn) -> None:
    def named(rows: str, **members: str) -> list[dict[str, Any]]:
        return [STATUS[rows][0] | {"job": HOSTILE} | members]

    text = shown(
        person,
        daemon,
        running=named("running", zone=HOSTILE),
        waiting=named("waiting", reason=HOSTILE),
        paused=named("paused", note=HOSTILE),
        next=named("next"),
        state=HOSTILE,
        version=HOSTILE,
        journal=HOSTILE,
    )
    assert not {"\x1b", "\x07", "\u202e", "\r"} & set(text)
    assert text.count(r"\x1b]0;owned\x07") == 10
    daemon.replies[Status] = Refused("bug", HOSTILE)
    assert "\x1b" not in person.types("status").stdout


def test_without_a_daemon_it_says_so_and_when_the_last_one_was_there(person: Person) -> None:
    result = person.types("status")
    assert (result.stdout, result.exit_code) == (f"{person.nobody}\n", 1)
    with journal(person) as opened:
        opened.daemon_state.set_last_tick(ONE)
    result = person.types("status")
    last = "The last minute that was handled: Sun 2027-03-28 03:00 Europe/Berlin"
    assert (result.stdout, result.exit_code) == (f"{person.nobody}. {last}\n", 1)
    assert result.stderr == ""


@pytest.mark.parametrize(
    ("reply", "said"),
    [
        (Refused("busy", "32 clients are connected already; try again"), "try again"),
        ({"version": "9"}, "no pid that makes sense"),
        ({**STATUS, "now": None}, "no now that makes sense"),
    ],
)
def test_a_daemon_that_gives_no_status_is_said_to(
    person: Person, daemon: StandIn, reply: Any, said: str
) -> None:
    daemon.replies[Status] = reply
    result = person.types("status")
    assert said in result.stdout
    assert result.exit_code == 1


def damaged(person: Person, *names: str) -> str:
    """Let journals have been moved aside; the first of them."""
    person.state.mkdir(exist_ok=True)
    for name in names:
        (person.state / f"journal.db.damaged-{name}").touch()
    return f"{person.state}/journal.db.damaged-{names[0]}"


def test_a_damaged_journal_that_was_moved_aside_is_shown(person: Person, daemon: StandIn) -> None:
    file = damaged(person, "20270328T005900Z", "20270328T005900Z-wal", "20270328T005900Z-shm")
    line = f"Damage    a damaged journal was moved aside: look at {file}, then delete it"
    assert person.types("status").stdout.splitlines()[6] == line
    assert daemon.asked == [Status()]


def test_it_is_shown_without_a_daemon_too(person: Person) -> None:
    file = damaged(person, "20270328T005900Z", "20270328T010000Z")
    said = f"Damage    damaged journals were moved aside: look at {file}, "
    assert said in person.types("status").stdout


# --- for a program -------------------------------------------------------------------------------


def test_a_program_gets_the_reply_as_it_came(person: Person, daemon: StandIn) -> None:
    daemon.status = STATUS | {"of a newer version": 1}
    result = person.types("status", "--json")
    assert json.loads(result.stdout) == {"ok": True} | daemon.status | {
        "failing": [],
        "alerts": {"failed": 0, "retrying": 0},
    }
    assert (result.stdout.count("\n"), result.exit_code) == (1, 0)


def test_without_a_daemon_a_program_hears_that_too(person: Person) -> None:
    with journal(person) as opened:
        opened.daemon_state.set_last_tick(ONE)
    result = person.types("status", "--json")
    assert json.loads(result.stdout) == {
        "ok": False,
        "error": {"code": "no-daemon", "message": person.nobody},
        "last_tick": "2027-03-28T01:00:00Z",
    }
    assert result.exit_code == 1
    (person.state / "journal.db").write_bytes(b"x" * 5000)
    assert json.loads(person.types("status", "--json").stdout)["last_tick"] is None


# --- for a monitor -------------------------------------------------------------------------------


def checked(person: Person) -> tuple[str, int]:
    result = person.types("status", "--check")
    assert result.stdout.count("\n") == 1
    assert result.stderr == ""
    return result.stdout.rstrip("\n"), result.exit_code


def test_all_is_well(person: Person, daemon: StandIn) -> None:
    assert checked(person) == ("OK: 12 entries, 1 running, 1 waiting, 1 paused", 0)
    assert daemon.asked == [Status()]


def test_a_run_that_waits_for_its_retry_is_a_warning(person: Person, daemon: StandIn) -> None:
    with journal(person) as opened:
        number = ended(opened, "report", State.SCHEDULED)
    said = f"WARNING: 1 run waiting for a retry: report (run {number})"
    assert checked(person) == (said, 1)
    assert daemon.asked == [Status()]


def test_a_job_whose_newest_run_failed_is_critical(person: Person, daemon: StandIn) -> None:
    daemon.in_force = frozenset({"backup", "mended"})
    with journal(person) as opened:
        number = ended(opened, "backup", State.FAILED)
        ended(opened, "removed", State.FAILED)  # it is in no crontab any more
        ended(opened, "mended", State.FAILED)
        ended(opened, "mended", State.SUCCEEDED, ONE + 60 * SECOND)
    assert checked(person) == (f"CRITICAL: 1 job failing: backup (run {number})", 2)
    assert daemon.asked == [Status(), Status(("backup", "removed"))]


def test_where_the_daemon_does_not_say_which_jobs_it_has_all_count(
    person: Person, daemon: StandIn
) -> None:
    with journal(person) as opened:
        number = ended(opened, "backup", State.FAILED)
    assert checked(person) == (f"CRITICAL: 1 job failing: backup (run {number})", 2)
    assert daemon.in_force is None


def test_of_very_many_jobs_each_is_asked_about(person: Person, daemon: StandIn) -> None:
    jobs = [f"{'x' * 90}{n}" for n in range(1001)]
    daemon.in_force = frozenset(jobs[-1:])
    with journal(person) as opened, opened.transaction():
        for job in jobs:
            ended(opened, job, State.FAILED)
    assert checked(person)[1] == 2
    assert [len(each.jobs) for each in daemon.asked if isinstance(each, Status)] == [0, 500, 500, 1]


def test_a_damaged_journal_that_was_moved_aside_is_a_warning(
    person: Person, daemon: StandIn
) -> None:
    file = damaged(person, "20270328T005900Z")
    said = f"WARNING: a damaged journal was moved aside: look at {file}, then delete it"
    assert checked(person) == (said, 1)
    assert daemon.asked == [Status()]


def test_the_time_that_asking_takes_is_not_the_daemon_s(
    person: Person, daemon: StandIn, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(RealClock, "now", lambda _: ONE + (600 if daemon.asked else 90) * SECOND)
    assert checked(person)[1] == 0


@pytest.mark.parametrize(
    ("members", "said"),
    [
        ({"stopping": True}, "the daemon is stopping"),
        ({"last_tick": "2027-03-28T00:58:00Z"}, "3 min 30 s behind the clock"),
        ({"journal": "database is locked"}, "the journal refuses: database is locked"),
    ],
)
def test_what_the_daemon_says_of_itself_counts(
    person: Person, daemon: StandIn, members: dict[str, Any], said: str
) -> None:
    daemon.status = STATUS | members
    text, status = checked(person)
    assert text.startswith("CRITICAL: ")
    assert said in text
    assert status == 2


def test_no_daemon_is_critical(person: Person) -> None:
    assert checked(person) == (f"CRITICAL: {person.nobody}", 2)


def test_a_daemon_that_answers_nonsense_is_critical(person: Person, daemon: StandIn) -> None:
    daemon.replies[Status] = {}
    assert checked(person)[1] == 2


def test_a_journal_that_can_t_be_read_is_critical(person: Person, daemon: StandIn) -> None:
    person.state.mkdir()
    (person.state / "journal.db").write_bytes(b"x" * 5000)
    text, status = checked(person)
    assert text.startswith("CRITICAL: the journal")
    assert (status, len(daemon.asked)) == (2, 1)


def test_one_line_is_one_line_without_measured_values(person: Person, daemon: StandIn) -> None:
    daemon.status = STATUS | {"journal": HOSTILE}
    text, _ = checked(person)
    assert "|" not in text
    assert text.isprintable()


def test_what_nobody_can_tell_is_unknown(person: Person, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delenv("CONFIGURATION_DIRECTORY")
    monkeypatch.setattr("os.geteuid", lambda: 1000)
    monkeypatch.setattr("os.path.expanduser", lambda path: path)  # no HOME and no account
    assert checked(person) == ("UNKNOWN: this user has no home folder that is known; set HOME", 3)


@pytest.mark.parametrize(
    ("words", "exit_status", "why"),
    [
        (("--check", "--colour"), 3, "2 would be critical"),
        (("--colour", "--check"), 3, "whichever came first"),
        (("--check", "extra"), 3, "an argument too many"),
        (("--check", "--state"), 3, "a value that is missing"),
        (("--check", "--json"), 3, "two answers"),
        (("--check", "--watch"), 3, "two answers"),
        (("--watch", "--json"), 2, "without a monitor it is wrong usage as everywhere"),
        (("--colour",), 2, "the same"),
        (("--check", "--help"), 0, "help is help"),
    ],
)
def test_wrong_usage_is_never_taken_for_a_verdict(
    person: Person, words: tuple[str, ...], exit_status: int, why: str
) -> None:
    assert person.types("status", *words).exit_code == exit_status, why


@pytest.mark.usefixtures("person")
def test_on_a_narrow_screen_what_is_said_of_the_daemon_is_broken_at_blanks(
    daemon: StandIn, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("COLUMNS", "40")
    daemon.status = STATUS | {"state": "/a/state/folder"}
    screen, terminal = os.openpty()
    with subprocess.Popen(
        (sys.executable, "-m", "scheduler", "status"), stdout=terminal, stdin=subprocess.DEVNULL
    ):
        os.close(terminal)
        shown = b""
        with suppress(OSError):
            while piece := os.read(screen, 4096):
                shown += piece
    os.close(screen)
    lines = Text.from_ansi(shown.decode().replace("\r\n", "\n")).plain.splitlines()
    minute = next(n for n, line in enumerate(lines) if line.startswith("Minute"))
    assert [line.rstrip() for line in lines[minute : minute + 3]] == [
        "Minute    Sun 2027-03-28 03:00",
        "          Europe/Berlin was handled",
        "          last: in time",
    ]


# --- watched -------------------------------------------------------------------------------------


def test_a_pipe_is_not_watched(person: Person, daemon: StandIn) -> None:
    result = person.types("status", "--watch")
    assert result.exit_code == 2
    assert "--watch needs a terminal; --json is for programs" in result.stderr
    assert daemon.asked == []


class Screen:
    """A terminal on which somebody watches, and what has been written to it by now."""

    def __init__(self, person: Person) -> None:
        self._master, terminal = pty.openpty()
        self.process = person.starts("status", "--watch", stdin=terminal, stdout=terminal)
        os.close(terminal)
        self._text = ""

    def shows(self, text: str) -> None:
        """Wait until it does; what came before it is forgotten."""
        while text not in self._text:
            ready, _, _ = select.select([self._master], [], [], 60)
            assert ready, f"{text!r} never came: {self._text!r}"
            self._text += os.read(self._master, 65536).decode()
        self._text = self._text.partition(text)[2]

    def close(self) -> None:
        self.process.kill()
        self.process.communicate()
        os.close(self._master)


@pytest.mark.e2e
def test_a_terminal_is_shown_changes_until_ctrl_c(person: Person) -> None:
    with closing(Screen(person)) as screen:
        screen.shows("no daemon runs with the state folder")
        with StandIn().listening(socket(person)):
            screen.shows("pid 4242")
            screen.process.send_signal(signal.SIGINT)
            # The terminal must be emptied for the process to end.
            reader = threading.Thread(target=screen.shows, args=("\x1b[?1049l",))
            reader.start()
            _, complaints = screen.process.communicate(timeout=60)
            reader.join()
    assert (screen.process.returncode, complaints) == (130, b"")


def screen(width: int = 200, height: int = 50) -> str:
    """What a person who watches has before him at this moment."""
    return _screen(None, own_zone(), width, height).plain


@pytest.mark.parametrize("height", [24, 40, 12])
def test_a_screen_holds_something_of_each_section_and_counts_the_rest(
    daemon: StandIn, height: int
) -> None:
    rows = {
        name: [STATUS[name][0] | {"job": f"job{n}"} for n in range(48)]
        for name in ("running", "waiting", "paused")
    }
    counts = {"running": 3000, "waiting": 48, "paused": 48}
    daemon.status = STATUS | rows | {"counts": counts, "catching_up": []}
    lines = screen(80, height).splitlines()
    assert len(lines) <= height
    for title, number in (
        ("3000 running of at most 50", 3000),
        ("48 waiting", 48),
        ("48 paused", 48),
    ):
        (at,) = (n for n, line in enumerate(lines) if line.startswith(title))
        more = re.fullmatch(rf"{title}, … (\d+) more", lines[at])
        assert more, lines[at]
        behind = list(
            takewhile(lambda line: "more" not in line and line != "Next", lines[at + 1 :])
        )
        assert number - int(more[1]) == max(0, len(behind) - 1)  # a line of titles


@pytest.mark.usefixtures("daemon")
def test_what_fits_on_a_screen_is_not_cut() -> None:
    assert screen(80, 28).count("\n\n") == 5  # a blank line before each section
    assert "more" not in screen(80, 28)


def test_who_watches_sees_the_daemon_s_end_and_return(person: Person) -> None:
    with journal(person) as opened:
        opened.daemon_state.set_last_tick(ONE)
    first, second = StandIn(), StandIn()
    second.status = STATUS | {"pid": 4343}
    with first.listening(socket(person)):
        assert "pid 4242" in screen()
        assert "disk is full" in screen()
        first.status = STATUS | {"running": [STATUS["running"][0] | {"job": HOSTILE}]}
        assert r"\x1b]0;owned\x07" in screen()
    last = "The last minute that was handled: Sun 2027-03-28 03:00 Europe/Berlin"
    assert screen() == f"{person.nobody}. {last}"
    with second.listening(socket(person)):
        assert "pid 4343" in screen()


def test_a_daemon_that_is_stopped_is_no_reason_to_hang(
    person: Person, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Its socket is there, and nobody takes a connection."""
    monkeypatch.setitem(_screen.__globals__, "_EACH_SECOND", 0.01)
    socket(person).parent.mkdir()
    with closing(control_listener.listen(socket(person))):
        assert "it may be stopped" in screen()


@pytest.mark.privileged
@pytest.mark.parametrize("command", [("status",), ("status", "--check"), ("history",), ("reload",)])
def test_a_state_folder_of_root_is_asked_about_with_sudo(
    person: Person, command: tuple[str, ...]
) -> None:
    person.state.mkdir(mode=0o700)
    person.types(*command, "--state", "/nowhere")  # imports what its child may not be able to read
    reading, writing = os.pipe()
    child = os.fork()
    if not child:
        os.setgroups([])
        os.setgid(60125)
        os.setuid(60125)
        result = person.types(*command, "--state", str(person.state))
        os.write(writing, f"{result.exit_code} {result.output}".encode())
        os._exit(0)
    os.close(writing)
    os.waitpid(child, 0)
    with os.fdopen(reading, encoding="utf-8") as stream:
        said = stream.read()
    way = f"if it is root's, as root: sudo meridian status --state {person.state}\n"
    assert said.endswith(f"{person.state} is not open to you; {way}"), said
    assert not said.startswith("0 ")


# --- alerts --------------------------------------------------------------------------------------


def test_who_could_not_be_told_of_something_is_a_line(person: Person, daemon: StandIn) -> None:
    with journal(person) as opened:
        not_told(opened, timedelta(hours=23), timedelta(hours=25), None)
    result = person.types("status")
    says = "1 alert given up in the last day, 1 alert to be tried again"
    assert f"Alerts    {says}: see meridian alerts" in result.stdout
    assert json.loads(person.types("status", "--json").stdout)["alerts"] == {
        "failed": 1,
        "retrying": 1,
    }
    assert daemon.asked


def test_an_alert_that_was_given_up_is_a_warning(person: Person, daemon: StandIn) -> None:
    with journal(person) as opened:
        not_told(opened, timedelta(hours=23))
    result = person.types("status", "--check")
    assert result.exit_code == 1
    assert "WARNING: 1 alert given up in the last day: see meridian alerts" in result.stdout
    assert daemon.asked
