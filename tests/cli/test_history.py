"""history and logs: what the journal tells, to people and to programs."""

from __future__ import annotations

import os
import pty
from contextlib import closing
from datetime import UTC, datetime, timedelta
from typing import TYPE_CHECKING

import pytest
from commands import rows
from fakes import TICKS

from scheduler.journal.journal import Journal
from scheduler.run import Ending, Exited, Limit, Reason, Signalled, State
from scheduler.schedule.tick import Era, Jump, JumpKind, Verdict

if TYPE_CHECKING:
    from conftest import Person

NINE = datetime(2027, 3, 29, 7, 0, tzinfo=UTC)  # 09:00 in Berlin
SECOND = timedelta(seconds=1)


@pytest.fixture
def past(person: Person) -> Person:
    """Someone whose `report` failed once and then succeeded, and whose `backup` was skipped."""
    outputs = person.state / "outputs"
    outputs.mkdir(parents=True)
    with closing(Journal.open(person.state / "journal.db")) as journal:
        run = journal.claim("report", NINE, "Europe/Berlin")
        assert run is not None
        for number, outcome in ((1, Exited(3)), (2, Exited(0))):
            attempt = journal.claim_attempt(run, number, f"outputs/report.{number}")
            assert attempt is not None
            began = NINE + 30 * number * SECOND
            journal.started(attempt, began, 4242, 30 * number * TICKS)
            journal.ended(
                attempt,
                Ending(outcome, began + 1.5 * SECOND, 0.1 + 0.15000000001, 1 << 20, took=1.5),
            )
        journal.finish(run, State.SUCCEEDED)
        journal.skip("backup", NINE, "Asia/Tokyo", Reason.MISSED, until=NINE + 3600 * SECOND)
        journal.claim("later", NINE + 60 * SECOND, "Europe/Berlin")
    (outputs / "report.1").write_bytes(b"first\n")
    (outputs / "report.2").write_bytes(b"\x1b[31mred\x1b[0m \x1b]0;title\x07\n\xff\xfe end")
    return person


# --- history -------------------------------------------------------------------------------------


def test_history_says_what_its_user_started(past: Person) -> None:
    with closing(Journal.open(past.state / "journal.db")) as journal:
        journal.claim("report", NINE + 7 * SECOND, "Europe/Berlin", by_hand=True)
    assert [row.get("by_hand") for row in rows(past.types("history", "--json", "report"))] == [
        None,
        True,
    ]
    assert past.types("history", "report").stdout.splitlines()[-1].endswith("by hand")


def test_history_for_programs_is_a_run_a_line_with_its_attempts(past: Person) -> None:
    (row,) = rows(past.types("history", "--json", "report"))
    assert row == {
        "run": 1,
        "job": "report",
        "at": "2027-03-29T07:00:00Z",
        "state": "succeeded",
        "reason": None,
        "took_s": 31.5,
        "attempts": [
            {
                "attempt": 1,
                "started": "2027-03-29T07:00:30Z",
                "ended": "2027-03-29T07:00:31Z",
                "outcome": "exit 3",
                "took_s": 1.5,
                "cpu_s": 0.25,
                "memory_bytes": 1048576,
                "limit": None,
                "output_emptied": False,
                "left_behind": 0,
            },
            {
                "attempt": 2,
                "started": "2027-03-29T07:01:00Z",
                "ended": "2027-03-29T07:01:01Z",
                "outcome": "exit 0",
                "took_s": 1.5,
                "cpu_s": 0.25,
                "memory_bytes": 1048576,
                "limit": None,
                "output_emptied": False,
                "left_behind": 0,
            },
        ],
    }


def test_a_run_of_a_time_that_was_not_real_is_told_as_such(past: Person) -> None:
    with closing(Journal.open(past.state / "journal.db")) as journal:
        journal.daemon_state.begin_era(Era(1, NINE, NINE + 7200 * SECOND, NINE + 20 * SECOND))
        again = journal.claim("report", NINE, "Europe/Berlin", era=1)
        assert again is not None
        journal.finish(again, State.FAILED, Reason.REMOVED)
    first, second = rows(past.types("history", "--json", "report"))
    assert (first["set_back"], second.get("set_back")) == ("2027-03-29T07:00:20Z", None)
    told = past.types("history", "report").stdout.splitlines()
    assert (
        "in a time that was not real: the clock was set back to Mon 2027-03-29 09:00:20" in told[1]
    )
    assert "set back" not in told[2]
    whole = past.types("history", "1").stdout
    assert "Unreal     in a time that was not real: the clock was set back to" in whole
    (stretch,) = rows(past.types("history", "--json", "backup"))
    assert "set_back" in stretch


def test_one_line_may_stand_for_several_instants(past: Person) -> None:
    (row,) = rows(past.types("history", "--json", "backup"))
    assert (row["state"], row["reason"], row["attempts"]) == ("skipped", "missed", [])
    assert (row["at"], row["until"]) == ("2027-03-29T07:00:00Z", "2027-03-29T08:00:00Z")


def test_history_for_people_names_the_zone_and_how_it_ended(past: Person) -> None:
    lines = past.types("history").stdout.splitlines()
    report = next(line for line in lines if "report" in line)
    assert "Mon 2027-03-29 09:00   " in report
    assert report.split()[-4:] == ["succeeded", "2", "32", "s"]  # of both attempts
    backup = next(line for line in lines if "backup" in line)
    assert "16:00 to Mon 2027-03-29 17:00  Asia/Tokyo" in backup
    assert backup.endswith("missed")


def test_a_limit_that_ended_an_attempt_is_named_wherever_one_looks(past: Person) -> None:
    with closing(Journal.open(past.state / "journal.db")) as journal:
        run = journal.claim("greedy", NINE, "Europe/Berlin")
        assert run is not None
        attempt = journal.claim_attempt(run, 1, "outputs/report.1")
        assert attempt is not None
        journal.started(attempt, NINE, 4242, 1)
        journal.ended(attempt, Ending(Signalled(9), NINE + 3 * SECOND, limit=Limit.MEMORY))
        journal.finish(run, State.FAILED, Reason.EXHAUSTED)
    (row,) = rows(past.types("history", "--json", "greedy"))
    assert [(one["outcome"], one["limit"]) for one in row["attempts"]] == [("signal 9", "memory")]
    line = past.types("history", "greedy").stdout.splitlines()[-1]
    assert line.endswith("signal 9 (memory limit), no attempts left")
    assert past.types("logs", "greedy").stderr.strip().endswith("signal 9 (memory limit)")


def test_the_newest_come_last_and_n_limits_them(past: Person) -> None:
    assert [row["job"] for row in rows(past.types("history", "--json", "-n", "1"))] == ["later"]
    assert rows(past.types("history", "--json"))[-1]["job"] == "later"
    everything = rows(past.types("history", "--json"))
    assert rows(past.types("history", "--json", "-n", "9" * 9)) == everything


def test_history_tells_the_jumps_of_the_clock(past: Person) -> None:
    with closing(Journal.open(past.state / "journal.db")) as journal:
        end = NINE + 2400.25 * SECOND
        journal.daemon_state.jump(Jump(JumpKind.DOWN, NINE, end, 2400.25, Verdict.ACCOUNTED))
        journal.daemon_state.jump(Jump(JumpKind.BACK, end, NINE, -2400.25, Verdict.WAITED_OUT))
    assert rows(past.types("history", "--jumps", "--json")) == [
        {
            "at": "2027-03-29T07:40:00Z",
            "last": "2027-03-29T07:00:00Z",
            "kind": "down",
            "seconds": 2400.25,
            "verdict": "accounted",
        },
        {
            "at": "2027-03-29T07:00:00Z",
            "last": "2027-03-29T07:40:00Z",
            "kind": "set back",
            "seconds": -2400.25,
            "verdict": "waited out",
        },
    ]
    head, *lines = past.types("history", "--jumps").stdout.splitlines()
    assert head.split() == "LAST MINUTE NOTICED ZONE SIZE WHAT AND THEN".split()
    assert [line.split("  ")[3] for line in lines] == ["40 min", "40 min"]
    assert len(rows(past.types("history", "--jumps", "--json", "-n", "1"))) == 1


def test_jumps_are_no_jobs(past: Person) -> None:
    result = past.types("history", "report", "--jumps")
    assert result.exit_code == 2
    assert "a jump of the clock is no job's" in result.stderr


def test_without_jumps_it_says_so(past: Person) -> None:
    assert "has not jumped" in past.types("history", "--jumps").stderr


def test_history_works_while_another_process_writes(past: Person) -> None:
    with closing(Journal.open(past.state / "journal.db")) as journal, journal.transaction():
        journal.claim("unfinished", NINE, "UTC")
        jobs = {row["job"] for row in rows(past.types("history", "--json"))}
    assert jobs == {"report", "backup", "later"}


def test_a_job_that_nobody_knows_is_refused_with_names_like_it(past: Person) -> None:
    result = past.types("history", "reprot")
    assert result.exit_code == 1
    assert "There is no job 'reprot'; did you mean report?" in result.stderr


def test_a_job_that_has_not_run_yet_is_no_error(past: Person) -> None:
    past.has("CRON_NAME=fresh\n" + past.line("0 9 * * *", "x"))
    result = past.types("history", "fresh")
    assert (result.stdout, result.exit_code) == ("", 0)
    assert result.stderr.endswith(
        "Nothing is kept of fresh: it has not run yet, or its runs are no longer kept.\n"
    )
    assert past.types("logs", "fresh").exit_code == 1


def test_a_journal_whose_runs_are_no_longer_kept_does_not_say_that_nothing_ran(
    person: Person,
) -> None:
    person.state.mkdir()
    with closing(Journal.open(person.state / "journal.db")) as journal:
        assert "Nothing has run yet." in person.types("history").stderr
        run = journal.claim("report", NINE, "UTC")
        assert run is not None
        journal.finish(run, State.FAILED)
        journal.old_runs.forget(run.number)
    assert "Nothing is kept of what has run" in person.types("history").stderr
    person.has("CRON_NAME=report\n" + person.line("0 9 * * *", "x"))
    for command in ("history", "logs"):
        assert "othing is kept of report" in person.types(command, "report").stderr


# --- which runs ----------------------------------------------------------------------------------

CHOSEN = [
    # options, the jobs told, why
    (("--since", "2027-03-29 09:01"), ["backup", "later", "broken"], "a stretch reaches into it"),
    (("--until", "2027-03-29 09:01"), ["report", "backup"], "its end is not in it"),
    (("--since", "2027-03-29T07:01Z", "--until", "2027-03-29 9:02"), ["backup", "later"], "both"),
    (("--failed",), ["broken"], "of all times"),
    (("--failed", "--until", "2027-03-29"), [], "nothing failed by then"),
    (("--job", "later"), ["later"], "one job"),
    (("--job", "report", "--failed"), [], "that did not fail"),
    (("--since", "2027-03-29", "-n", "1"), ["broken"], "the newest of a time"),
]


@pytest.mark.parametrize(("options", "jobs", "why"), CHOSEN)
def test_history_of_what_is_asked_for(
    past: Person, options: tuple[str, ...], jobs: list[str], why: str
) -> None:
    with closing(Journal.open(past.state / "journal.db")) as journal:
        run = journal.claim("broken", NINE + 7200 * SECOND, "UTC")
        assert run is not None
        journal.finish(run, State.FAILED, Reason.EXHAUSTED)
    found = rows(past.types("history", "--json", *options))
    assert [row["job"] for row in found] == jobs, why


def test_the_time_that_history_is_asked_for_is_echoed(past: Person) -> None:
    result = past.types("history", "--since", "2027-03-29 08:00", "--until", "2027-03-29T08:00Z")
    assert result.stderr == (
        "Since Mon 2027-03-29 08:00 until Mon 2027-03-29 10:00 Europe/Berlin\n"
    )
    empty = past.types("history", "report", "--since", "2028-01-01")
    assert empty.stderr.endswith("There is no run of report in that time.\n")
    assert empty.exit_code == 0
    failed = past.types("history", "report", "--failed")
    assert failed.stderr == "There is no failed run of report.\n"


def test_of_a_time_all_runs_are_told_and_else_the_newest_twenty(past: Person) -> None:
    with closing(Journal.open(past.state / "journal.db")) as journal, journal.transaction():
        for minute in range(30):
            journal.claim("often", NINE + minute * 60 * SECOND, "UTC")
    assert len(rows(past.types("history", "--json", "often"))) == 20
    assert len(rows(past.types("history", "--json", "often", "--since", "2027-03-29"))) == 30


@pytest.mark.parametrize(
    ("words", "said"),
    [
        (("report", "--job", "backup"), "name one"),
        (("--jumps", "--failed"), "no job's"),
        (("1", "--failed"), "leave out -n, --since, --until and --failed"),
        (("1", "-n", "3"), "leave out -n"),
        (("--since", "30"), "--since: '30' is no time"),
        (("--until", "x"), "--until: 'x' is no time"),
    ],
)
def test_what_history_can_t_be_asked(past: Person, words: tuple[str, ...], said: str) -> None:
    result = past.types("history", *words)
    assert (result.exit_code, result.stdout) == (2, "")
    assert said in result.stderr


# --- one run in full -----------------------------------------------------------------------------


def test_a_run_is_told_in_full(past: Person) -> None:
    result = past.types("history", "1")
    assert (
        result.stdout
        == """\
Run 1      of report, succeeded
Scheduled  Mon 2027-03-29 09:00 Europe/Berlin
Took       32 s, from the first start to the last end

ATTEMPT  STARTED   WAITED  TOOK   CPU     MEMORY  HOW
1        09:00:30  30 s    1.5 s  250 ms  1.0 MB  exit 3
2        09:01:00  28 s    1.5 s  250 ms  1.0 MB  exit 0

"""
    )
    assert "meridian logs 1 prints what it wrote" in result.stderr
    assert "meridian why 1 says why" in result.stderr


def test_a_run_that_did_not_start_is_told_too(past: Person) -> None:
    result = past.types("history", "2")
    assert (
        result.stdout
        == """\
Run 2      of backup, skipped: missed
Scheduled  Mon 2027-03-29 16:00 to Mon 2027-03-29 17:00 Asia/Tokyo
Stands     for all instants of the job in that time
"""
    )


def test_a_run_for_programs_has_all_there_is(past: Person) -> None:
    (row,) = rows(past.types("history", "1", "--json"))
    brief = rows(past.types("history", "report", "--json"))[0]
    assert {key: row[key] for key in brief if key != "attempts"} == {
        key: value for key, value in brief.items() if key != "attempts"
    }
    assert [(each["waited_s"], each["output"]) for each in row["attempts"]] == [
        (30, "outputs/report.1"),
        (28.5, "outputs/report.2"),
    ]
    more = {key: row[key] for key in ("zone", "by_hand", "made_up", "due", "retried_by_hand")}
    assert more == {
        "zone": "Europe/Berlin",
        "by_hand": False,
        "made_up": False,
        "due": None,
        "retried_by_hand": None,
    }


def test_a_run_that_goes_on_says_what_it_waits_for(past: Person) -> None:
    with closing(Journal.open(past.state / "journal.db")) as journal:
        run = journal.claim("report", NINE + 7 * SECOND, "Europe/Berlin", by_hand=True)
        assert run is not None
        attempt = journal.claim_attempt(run, 1, "outputs/x")
        assert attempt is not None
        journal.started(attempt, NINE + 8 * SECOND, 4242, None)
        running = past.types("history", str(run.number)).stdout
        journal.ended(attempt, Ending(Exited(1), NINE + 10 * SECOND, limit=Limit.CPU, took=2.0))
        journal.retry(run, NINE + 86400 * SECOND)
    assert (
        "of report, running\nScheduled  Mon 2027-03-29 09:00:07 Europe/Berlin; started by hand"
        in running
    )
    assert running.splitlines()[-2].split() == ["1", "09:00:08", "1", "s", "running"]
    waiting = past.types("history", str(run.number)).stdout
    assert "Waits      for its next attempt at Tue 2027-03-30 09:00:00\n" in waiting
    assert "exit 1 (cpu limit)" in waiting


def test_a_number_is_a_run_and_else_a_job_s_name(past: Person) -> None:
    assert "There is no run 99" in past.types("history", "99").stderr
    with closing(Journal.open(past.state / "journal.db")) as journal:
        journal.claim("99", NINE, "UTC")
        journal.claim("1", NINE, "UTC")
    assert [row["job"] for row in rows(past.types("history", "99", "--json"))] == ["99"]
    assert [row["job"] for row in rows(past.types("history", "1", "--json"))] == ["report"]
    assert [row["job"] for row in rows(past.types("history", "--job", "1", "--json"))] == ["1"]


def test_without_a_journal_it_says_so(person: Person) -> None:
    result = person.types("history")
    assert result.exit_code == 1
    assert "nothing has run yet" in result.stderr.lower()


def test_another_state_folder_has_another_history(past: Person) -> None:
    result = past.types("history", "--state", str(past.home / "elsewhere"))
    assert result.exit_code == 1
    assert "elsewhere" in result.stderr


# --- logs ----------------------------------------------------------------------------------------


def test_logs_of_a_job_are_its_newest_attempt_byte_for_byte(past: Person) -> None:
    result = past.types("logs", "report")
    assert result.stdout_bytes == b"\x1b[31mred\x1b[0m \x1b]0;title\x07\n\xff\xfe end"
    assert "report, run 1 of Mon 2027-03-29 09:00 Europe/Berlin, attempt 2: exit 0" in result.stderr


@pytest.mark.parametrize("which", ["report", "1"])
def test_logs_of_an_earlier_attempt(past: Person, which: str) -> None:
    assert past.types("logs", which, "--attempt", "1").stdout == "first\n"


def test_on_a_terminal_no_output_steers_it(past: Person) -> None:
    screen, terminal = pty.openpty()
    process = past.starts("logs", "report", stdout=terminal)
    os.close(terminal)
    process.communicate(timeout=30)
    shown = os.read(screen, 1000)
    os.close(screen)
    assert shown == b"red \\x1b]0;title\\x07\r\n\\xff\\xfe end"


@pytest.mark.parametrize(
    ("words", "said"),
    [
        (("99",), "There is no run 99"),
        (("reprot",), "did you mean report?"),
        (("backup",), "has not run yet"),
        (("report", "--attempt", "3"), "has no attempt 3, only 2"),
        (("2",), "Run 2 of backup has no attempts: skipped"),
    ],
)
def test_logs_that_are_not_there(past: Person, words: tuple[str, ...], said: str) -> None:
    past.has("CRON_NAME=backup\n" + past.line("0 9 * * *", "x"))
    result = past.types("logs", *words)
    assert result.exit_code == 1
    assert said in result.stderr


def test_an_output_that_is_not_kept_any_more_is_said_to_be_gone(past: Person) -> None:
    (past.state / "outputs/report.2").unlink()
    result = past.types("logs", "report")
    assert result.exit_code == 1
    assert "not kept any more" in result.stderr


def test_a_run_under_way_shows_what_it_has_written_so_far(past: Person) -> None:
    with closing(Journal.open(past.state / "journal.db")) as journal:
        run = journal.claim("report", NINE + 3600 * SECOND, "Mars/Olympus")
        assert run is not None
        attempt = journal.claim_attempt(run, 1, "outputs/now")
        assert attempt is not None
        journal.started(attempt, NINE, 4242, None)
        (past.state / "outputs/now").write_text("so far")
        result = past.types("logs", "report")
        assert result.stdout == "so far"
        assert "attempt 1: running" in result.stderr
        journal.ended(attempt, Ending(Signalled(9), NINE + 3725 * SECOND, took=3725.0))
        journal.retry(run, NINE + 3755 * SECOND)
    line = past.types("history", "report", "-n", "1").stdout.splitlines()[1]
    assert "1 h 2 min" not in line  # it is not over yet
    assert line.endswith("signal 9, next attempt at 08:02:35")  # in UTC, the zone being unknown
