"""simulate: what it prints, for people and for programs, and what it won't take."""

from __future__ import annotations

import os
import pty
import pwd
import shlex
import socket
from contextlib import closing, suppress
from pathlib import Path
from typing import TYPE_CHECKING

import pytest
from commands import rows
from fakes import utc

from scheduler.journal.journal import Journal
from scheduler.run import Ending, Exited, State

if TYPE_CHECKING:
    from datetime import datetime

    from conftest import Person
    from typer.testing import Result

README = (Path(__file__).parent.parent.parent / "README.md").read_text(encoding="utf-8")
DAILY = "CRON_NAME=daily 30 2 * * * echo\n"  # Berlin's clock leaves 02:30 out in spring
HOURLY = "CRON_NAME=hourly 15 * * * * echo\n"
SPRING = ("--from", "2027-03-28", "--until", "2027-03-28 06:00")
AUTUMN = ("--from", "2027-10-31", "--until", "2027-10-31 06:00")
LONG_AGO = utc(2027, 1, 1)
PLAIN = ("--from", "2027-03-01", "--until", "2027-03-02")


def starts(result: Result) -> list[str]:
    return [row["time"] for row in rows(result) if row["event"] == "start"]


@pytest.mark.parametrize(
    ("span", "at", "reason"),
    [
        (SPRING, "2027-03-28T01:00:00Z", "the clock goes forward: stands for 02:30"),
        (AUTUMN, "2027-10-31T00:30:00Z", None),
    ],
)
def test_a_program_gets_an_object_an_event(
    person: Person, span: tuple[str, ...], at: str, reason: str | None
) -> None:
    result = person.types("simulate", person.file(DAILY), *span, "--json")
    run = {"job": "daily", "at": at, "attempt": 1}
    assert rows(result) == [
        {"time": at, "event": "start", **run, "reason": reason},
        {"time": at.replace("00Z", "01Z"), "event": "success", **run, "reason": None},
    ]
    assert list(rows(result)[0]) == ["time", "event", "job", "at", "attempt", "reason"]
    assert (result.stderr, result.exit_code) == ("", 0)


def test_times_without_a_date_and_durations_count_from_its_beginning(person: Person) -> None:
    words = ("simulate", person.file(HOURLY), "--from", "2027-03-01", "--until", "4h")
    result = person.types(*words)
    assert result.stderr == "From Mon 2027-03-01 00:00 until Mon 2027-03-01 04:00 Europe/Berlin\n"
    for downtime in ("01:10..02:50", "1h10m..2h50m", "2027-03-01T00:10Z..mon 2:50"):
        result = person.types(*words, "--downtime", downtime, "--json")
        assert starts(result) == ["2027-02-28T23:15:00Z", "2027-03-01T02:15:00Z"], downtime


def test_a_person_gets_a_line_an_event_in_the_zone_of_its_entry(person: Person) -> None:
    text = DAILY + "CRON_TZ=Asia/Tokyo CRON_NAME=open 0 9 * * * echo\n"
    result = person.types("simulate", person.file(text), *SPRING)
    assert result.stdout.splitlines() == [
        "TIME                     ZONE           EVENT      JOB    SCHEDULED  WHY",
        "Sun 2027-03-28 09:00:00  Asia/Tokyo     start      open   09:00",
        "Sun 2027-03-28 09:00:01  Asia/Tokyo     success    open   09:00",
        "Sun 2027-03-28 03:00:00  Europe/Berlin  start      daily  03:00      the clock goes forward: stands for 02:30",
        "Sun 2027-03-28 03:00:01  Europe/Berlin  success    daily  03:00",
        "2 runs, no retries: 2 succeeded, 0 failed",
    ]


def test_the_summary_counts_skips_by_reason_jumps_and_what_still_runs(person: Person) -> None:
    text = "CRON_NAME=a CRON_OVERLAP=skip * * * * * echo\n" + HOURLY
    knows(person, "a", 90.0)
    span = ("--from", "2027-03-01 01:00", "--until", "01:30:30", "--suspend", "01:10..01:20:30")
    result = person.types("simulate", person.file(text), *span)
    assert result.stdout.splitlines()[-3:] == [
        "11 runs, no retries: 10 succeeded, 0 failed, 1 still running",
        "12 skips, 1 of several instants: overlap 10, missed 2",
        "1 jump of the clock or time without a daemon",
    ]


@pytest.mark.parametrize(
    ("until", "kinds", "summary"),
    [
        ("12:02", ["start", "retry", "start", "failure"], "1 run, 1 retry: 0 succeeded, 1 failed"),
        ("12:01", ["start", "retry"], "1 run, no retries: 0 succeeded, 0 failed, 1 to be retried"),
    ],
)
def test_a_run_that_is_retried_fails_once(
    person: Person, until: str, kinds: list[str], summary: str
) -> None:
    text = "CRON_TIMEOUT=0.5s CRON_RETRIES=1 CRON_RETRY_DELAY=1m 0 12 * * * echo\n"
    said = ("simulate", person.file(text), "--from", "2027-03-01 12:00", "--until", until)
    assert [row["event"] for row in rows(person.types(*said, "--json"))] == kinds
    assert person.types(*said).stdout.splitlines()[-1] == summary


@pytest.mark.parametrize(
    ("downtimes", "expected", "why"),
    [
        (["01:00..05:00"], ["1 skip, 1 of several instants: missed 1", "1 jump of the clock or time without a daemon"], "a row for four"),
        (["01:00..02:00"], ["1 skip: missed 1", "1 jump of the clock or time without a daemon"], "a row for one"),
        (["01:00..02:00", "03:00..05:00"], ["2 skips, 1 of several instants: missed 2", "2 jumps of the clock or times without a daemon"], "one of each"),
    ],
)  # fmt: skip
def test_the_summary_owns_up_to_skips_of_several_instants(
    person: Person, downtimes: list[str], expected: list[str], why: str
) -> None:
    options = [word for downtime in downtimes for word in ("--downtime", downtime)]
    result = person.types("simulate", person.file(HOURLY), *PLAIN, *options)
    assert result.stdout.splitlines()[-2:] == expected, why


def test_nothing_that_happens_is_said_too(person: Person) -> None:
    result = person.types("simulate", person.file("0 0 1 1 * echo\n"), *PLAIN)
    assert result.stdout.splitlines()[1:] == ["no runs"]


@pytest.mark.parametrize(
    ("options", "jump", "why"),
    [
        (("--downtime", "01:40..04:00"), "no daemon ran for 2 h 21 min", "killed and started again"),
        (("--suspend", "01:40..04:00"), "the machine slept for 2 h 20 min", "asleep"),
        (("--set-clock", "01:40=04:00"), "the clock was set forward by 2 h 20 min", "set forward"),
    ],
)  # fmt: skip
def test_what_befalls_the_machine_is_told_with_what_becomes_of_the_runs(
    person: Person, options: tuple[str, ...], jump: str, why: str
) -> None:
    """Times without a date are those of the day of --from, in Berlin."""
    result = person.types("simulate", person.file(DAILY + HOURLY), *PLAIN, *options, "--json")
    late = [row for row in rows(result) if row["time"] == "2027-03-01T03:00:00Z"]
    (told,) = [row for row in late if row["event"] == "jump"]
    (skip,) = [row for row in late if row["event"] == "skip"]
    (start,) = [row for row in late if row["event"] == "start"]
    assert told["reason"].startswith(jump), why
    assert (told["job"], told["at"], told["attempt"]) == (None, None, None)
    assert skip == {
        "time": "2027-03-01T03:00:00Z",
        "event": "skip",
        "job": "hourly",
        "at": "2027-03-01T01:15:00Z",
        "attempt": None,
        "reason": "missed",
        "until": "2027-03-01T02:15:00Z",
    }
    assert (start["job"], start["at"]) == ("daily", "2027-03-01T01:30:00Z")
    assert start["reason"].startswith("made up for: ")


def test_each_mishap_may_come_more_than_once(person: Person) -> None:
    span = (*PLAIN, "--downtime", "01:00..02:00", "--downtime", "03:00..04:00")
    result = person.types("simulate", person.file(HOURLY), *span, "--json")
    assert [row["event"] for row in rows(result)].count("jump") == 2


@pytest.mark.parametrize(
    ("since", "expected", "why"),
    [
        ("2027-03-01 01:15", "2027-03-01T00:15:00Z", "a daemon that starts on a minute runs it"),
        ("2027-03-01 01:15:01", "2027-03-01T01:15:00Z", "one that starts in it, here, does not"),
        ("2027-03-01 01:15+00:00", "2027-03-01T01:15:00Z", "an offset counts"),
    ],
)
def test_where_it_begins(person: Person, since: str, expected: str, why: str) -> None:
    span = ("--from", since, "--until", "2027-03-01 12:00", "--json")
    assert starts(person.types("simulate", person.file(HOURLY), *span))[0] == expected, why


def test_the_example_in_the_readme_is_what_it_prints(person: Person) -> None:
    shown = README.split("    echo '")[1].split("\n\n")[0]
    crontab, rest = shown.split("' | \\\n      meridian ")
    command, *lines = rest.splitlines()
    result = person.types(*shlex.split(command), stdin=f"{crontab}\n")
    assert result.stdout.splitlines() == [line[4:] for line in lines]


# --- what is known of the jobs -------------------------------------------------------------------


def knows(person: Person, job: str, seconds: float, at: datetime = LONG_AGO) -> None:
    """Let there be a successful run in the person's journal of the job."""
    person.state.mkdir(exist_ok=True)
    with closing(Journal.open(person.state / "journal.db")) as journal:
        run = journal.claim(job, at, "UTC")
        assert run is not None
        attempt = journal.claim_attempt(run, 1, "output")
        assert attempt is not None
        journal.started(attempt, at, 1, 1)
        journal.ended(attempt, Ending(Exited(0), at, took=seconds))
        journal.finish(run, State.SUCCEEDED)


def test_a_job_takes_as_long_as_it_did(person: Person) -> None:
    knows(person, "daily", 754.0)
    result = person.types("simulate", person.file(DAILY), *SPRING, "--json")
    assert rows(result)[1]["time"] == "2027-03-28T01:12:34Z"


def test_an_interval_counts_from_where_it_did(person: Person) -> None:
    knows(person, "often", 1.0, utc(2027, 3, 1, 0, 7))
    text = "CRON_NAME=often @every 10h echo\n"
    said = person.types("next", person.file(text), *PLAIN, "--json")
    result = person.types("simulate", person.file(text), *PLAIN, "--json")
    assert starts(result) == [row["at"] for row in rows(said)]
    assert starts(result)[0] == "2027-03-01T10:07:00Z"


def test_it_leaves_no_trace(person: Person, tmp_path: Path) -> None:
    file = person.file(HOURLY)
    before = sorted(tmp_path.rglob("*"))
    person.types("simulate", file, *PLAIN)
    assert sorted(tmp_path.rglob("*")) == before


def test_systemd_hears_nothing_of_it(
    person: Person, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    with closing(socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM)) as listener:
        listener.bind(str(tmp_path / "notify"))
        listener.setblocking(False)
        monkeypatch.setenv("NOTIFY_SOCKET", str(tmp_path / "notify"))
        person.types("simulate", person.file(HOURLY), *PLAIN)
        with pytest.raises(BlockingIOError):
            listener.recv(1)


def test_without_a_file_it_is_the_own_crontab(person: Person) -> None:
    person.has(person.line("15 1 * * *", "echo"))
    assert starts(person.types("simulate", *PLAIN, "--json")) == ["2027-03-01T00:15:00Z"]


def test_what_the_daemon_refuses_does_not_run(person: Person) -> None:
    own = pwd.getpwuid(os.geteuid()).pw_name
    file = person.file(f"15 1 * * * somebody echo\n30 2 * * * {own} echo\n")
    result = person.types("simulate", file, "--system-format", *PLAIN, "--json")
    assert starts(result) == ["2027-03-01T01:30:00Z"]
    assert "1:12: bad-user there is no user somebody" in result.stderr
    assert result.exit_code == 1


def test_what_is_refused_is_mentioned_and_the_rest_told(person: Person) -> None:
    result = person.types("simulate", person.file("0 61 * * * echo\n" + HOURLY), *PLAIN, "--json")
    assert len(starts(result)) == 24
    assert "61" in result.stderr
    assert result.exit_code == 1


# --- wrong usage ---------------------------------------------------------------------------------

ONE_AT_A_TIME = "one begins before the other is over"


@pytest.mark.parametrize(
    ("options", "expected", "why"),
    [
        ("--until 2027-02-28", "--until: it is not later than --from", "backwards"),
        ("--until 2027-03-01", "--until: it is not later than --from", "no time at all"),
        ("--downtime 01:00", "--downtime: '01:00' is not two times; write 2027-03-28 01:10..03:20", "one time"),
        ("--set-clock 01:00..02:00", "--set-clock: '01:00..02:00' is not two times; write 2027-03-28 01:10=03:20", "the other mark"),
        ("--downtime 02:00..01:00", "--downtime: '02:00..01:00' ends no later than it begins", "backwards"),
        ("--suspend 02:00..02:00", "--suspend: '02:00..02:00' ends no later than it begins", "no time at all"),
        ("--set-clock 02:00=02:00", "--set-clock: '02:00=02:00' ends no later than it begins", "set to what it shows"),
        ("--suspend 2027-02-28..02:00", "--suspend: '2027-02-28..02:00' is not between --from and --until", "before"),
        ("--downtime 23:00..2027-03-03", "--downtime: '23:00..2027-03-03' is not between --from and --until", "after"),
        ("--until x", "--until: 'x' is no time", "no time"),
        ("--downtime 01:00..x", "--downtime: 'x' is no time", "no time"),
        ("--downtime 01:00..03:00 --suspend 02:00..04:00", f"--downtime and --suspend: {ONE_AT_A_TIME}", "they overlap"),
        ("--downtime 01:00..03:00 --downtime 03:00..04:00", f"--downtime and --downtime: {ONE_AT_A_TIME}", "they touch"),
        ("--set-clock 01:00=02:00 --suspend 01:30..01:40", f"--set-clock and --suspend: {ONE_AT_A_TIME}", "the clock never shows it"),
        ("--suspend 01:00..02:00 --set-clock 01:30=03:00", f"--suspend and --set-clock: {ONE_AT_A_TIME}", "nobody sets a clock asleep"),
    ],
)  # fmt: skip
def test_wrong_usage(person: Person, options: str, expected: str, why: str) -> None:
    words = [*PLAIN, *options.split()]
    result = person.types("simulate", person.file(HOURLY), *words)
    said = " ".join(result.stderr.replace("│", " ").split())
    assert f"meridian simulate: {expected}" in said, why
    assert (result.stdout, result.exit_code) == ("", 2)


@pytest.mark.parametrize("missing", ["--from", "--until"])
def test_both_ends_are_needed(person: Person, missing: str) -> None:
    words = [word for n, word in enumerate(PLAIN) if missing not in (word, PLAIN[n - 1])]
    assert person.types("simulate", person.file(HOURLY), *words).exit_code == 2


# --- while it works ------------------------------------------------------------------------------


@pytest.mark.e2e
def test_on_a_terminal_a_bar_shows_how_far_it_is(person: Person) -> None:
    ours, theirs = pty.openpty()
    with os.fdopen(ours, "rb", 0) as screen:
        daemon = person.starts("simulate", person.file(HOURLY), *PLAIN, "--json", stderr=theirs)
        os.close(theirs)
        shown = b""
        with suppress(OSError):  # EIO: the other end is closed
            while piece := screen.read(4096):
                shown += piece
        out, _ = daemon.communicate()
    assert b"simulating" in shown
    assert b"100%" in shown
    assert len(out.splitlines()) == 48
