"""What a job finds around it: the daemon's variables, its crontab's, and those of its attempt."""

from __future__ import annotations

import os
from datetime import UTC, datetime, timedelta
from typing import TYPE_CHECKING
from zoneinfo import ZoneInfo

import pytest
from fakes import utc
from hypothesis import given, settings
from hypothesis import strategies as st
from spawner_stages import START, RealStage, in_another_daemon, job, real_stage

from scheduler.entry import Entry, Reboot
from scheduler.process.job_environment import attempt_of, attempt_variables, scheduled
from scheduler.run import Attempt, Run

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path


@pytest.fixture
def real(tmp_path: Path) -> Iterator[RealStage]:
    yield from real_stage(tmp_path)


def variables(output: bytes) -> dict[str, str]:
    lines = output.decode("utf-8", "surrogateescape").rstrip("\0").split("\0")
    return dict(line.split("=", 1) for line in lines)


def environment(stage: RealStage, *assigned: tuple[str, str]) -> dict[str, str]:
    return variables(stage.run(job("env -0", assigned=assigned))[1])


def test_a_job_is_told_which_run_it_is(real: RealStage) -> None:
    found = environment(real)
    assert {name: value for name, value in found.items() if name.startswith("CRON_")} == {
        "CRON_JOB": "job",
        "CRON_RUN": "1",
        "CRON_ATTEMPT": "2",
        "CRON_SCHEDULED": "2027-03-28T01:30:00+01:00",
    }


@pytest.mark.parametrize(
    ("minutes", "zone", "expected", "why"),
    [
        (0, "Europe/Berlin", "2027-03-28T01:30:00+01:00", "before the clocks change"),
        (30, "Europe/Berlin", "2027-03-28T03:00:00+02:00", "and after it"),
        (0, "UTC", "2027-03-28T00:30:00+00:00", "an offset even there"),
        (0, "Asia/Kolkata", "2027-03-28T06:00:00+05:30", "half an hour"),
        (0, "America/St_Johns", "2027-03-27T22:00:00-02:30", "west, and yesterday"),
    ],
)
def test_the_scheduled_instant_has_its_zones_offset(
    minutes: int, zone: str, expected: str, why: str
) -> None:
    assert scheduled(START + timedelta(minutes=minutes), ZoneInfo(zone)) == expected, why


OF_SYSTEMD = [  # as the manual pages name them, so that the product's own table is held to them
    *("NOTIFY_SOCKET", "WATCHDOG_USEC", "WATCHDOG_PID", "FDSTORE"),
    *("LISTEN_FDS", "LISTEN_PID", "LISTEN_PIDFDID", "LISTEN_FDNAMES"),
    *(f"{what}_PRESSURE_{how}" for what in ("MEMORY", "CPU", "IO") for how in ("WATCH", "WRITE")),
    *(f"{place}_DIRECTORY" for place in ("STATE", "RUNTIME", "CONFIGURATION", "CACHE", "LOGS")),
    *("CREDENTIALS_DIRECTORY", "PIDFILE", "JOURNAL_STREAM", "INVOCATION_ID", "DEBUG_INVOCATION"),
    *("MAINPID", "MANAGERPID", "MANAGERPIDFDID", "SYSTEMD_EXEC_PID", "MERIDIAN_DELEGATED"),
    *("MERIDIAN_PING", "MERIDIAN_RUN"),
    *("REMOTE_ADDR", "REMOTE_PORT", "TRIGGER_UNIT", "TRIGGER_PATH"),
    *("TRIGGER_TIMER_REALTIME_USEC", "TRIGGER_TIMER_MONOTONIC_USEC", "MONITOR_UNIT"),
    *("MONITOR_SERVICE_RESULT", "MONITOR_EXIT_CODE", "MONITOR_EXIT_STATUS"),
    "MONITOR_INVOCATION_ID",
]


def test_a_job_gets_what_the_daemon_has_except_what_is_private(real: RealStage) -> None:
    inherited = {"PATH": os.environ["PATH"], "EDITOR": "vi", "SHELL": "/bin/zsh", "USER": "root"}
    real.spawner = real.new(inherited | dict.fromkeys(OF_SYSTEMD, "1"))
    found = environment(real)
    assert found["EDITOR"] == "vi"
    assert found["SHELL"] == "/bin/sh", "not the daemon's own"
    assert (found["LOGNAME"], found["USER"]) == ("ada", "ada")
    assert not found.keys() & set(OF_SYSTEMD)


def test_what_is_as_true_of_a_job_stays(real: RealStage) -> None:
    kept = "LANG TERM XDG_RUNTIME_DIR LOG_NAMESPACE EXIT_CODE DBUS_SESSION_BUS_ADDRESS".split()
    real.spawner = real.new({"PATH": os.environ["PATH"]} | dict.fromkeys(kept, "1"))
    assert set(kept) <= environment(real).keys()


def test_a_crontab_may_set_what_is_not_inherited(real: RealStage) -> None:
    real.spawner = real.new({"PATH": os.environ["PATH"], "REMOTE_ADDR": "::1"})
    assert environment(real, ("REMOTE_ADDR", "mine"))["REMOTE_ADDR"] == "mine"


def test_assignments_go_on_top_but_logname_is_who_the_job_runs_as(real: RealStage) -> None:
    found = environment(
        real,
        ("PATH", "/usr/bin:/bin"),
        ("LANG", "C"),
        ("LANG", "nb_NO"),
        ("LOGNAME", "root"),
        ("USER", "app"),
        ("SHELL", "/bin/bash"),
        ("EMPTY", ""),
        ("CRON_JOB", "another"),
    )
    assert found["PATH"] == "/usr/bin:/bin"
    assert found["LANG"] == "nb_NO", "the last one counts"
    assert found["LOGNAME"] == "ada"
    assert found["USER"] == "app", "as Debian's cron passes it on"
    assert (found["SHELL"], found["EMPTY"], found["CRON_JOB"]) == ("/bin/bash", "", "job")


def test_each_entry_has_its_own_assignments(real: RealStage) -> None:
    assert environment(real, ("A", "1"))["A"] == "1"
    assert "A" not in environment(real)
    assert environment(real, ("A", "2"))["A"] == "2"


def test_a_job_starts_in_the_home(real: RealStage) -> None:
    home = str(real.folder)
    for entry in (job("/bin/pwd"), job("/bin/pwd; :")):
        assert real.run(entry)[1].decode().strip() == home
    assert environment(real)["PWD"] == home, "not the daemon's own"
    (real.folder / "elsewhere").mkdir()
    elsewhere = f"{home}/elsewhere"
    assert (
        real.run(job("/bin/pwd", assigned=(("HOME", elsewhere),)))[1].decode().strip() == elsewhere
    )
    found = environment(real, ("HOME", elsewhere), ("PWD", "/"))
    assert (found["HOME"], found["PWD"]) == (elsewhere, elsewhere)


def test_the_daemons_own_home_comes_before_the_accounts(real: RealStage) -> None:
    (real.folder / "own").mkdir()
    real.spawner = real.new(real.environ | {"HOME": str(real.folder / "own")})
    assert environment(real)["HOME"] == str(real.folder / "own")


BYTES = "caf\u00e9 \u65e5\u672c \udcff\udc80"  # UTF-8, and two bytes that are none


def test_bytes_that_are_no_text_arrive_as_they_are(real: RealStage) -> None:
    raw = BYTES.encode("utf-8", "surrogateescape")
    assert environment(real, ("ODD", BYTES))["ODD"] == BYTES
    assert real.run(f"echo '{BYTES}'")[1] == raw + b"\n"
    assert real.run(job("cat", stdin=BYTES))[1] == raw
    assert environment(real, ("\u00e9", "x"))["\u00e9"] == "x", "in a name too"


def test_the_daemons_locale_changes_no_byte_of_a_job(tmp_path: Path) -> None:
    raw = BYTES.encode("utf-8", "surrogateescape")
    found = in_another_daemon(
        tmp_path,
        f"echo '{BYTES}'; env -0",
        check="sys.getfilesystemencoding() == 'ascii'",
        PYTHONUTF8="0",
        PYTHONCOERCECLOCALE="0",
        LC_ALL="C",
        ODD=BYTES,
    )
    assert found.startswith(raw + b"\n")
    assert b"\0ODD=" + raw + b"\0" in b"\0" + found.partition(b"\n")[2]


# --- the attempt, read back out of its variables ---------------------------------------------------


VARIABLES = {
    b"CRON_JOB": b"backup",
    b"CRON_RUN": b"7",
    b"CRON_ATTEMPT": b"2",
    b"CRON_SCHEDULED": b"2027-03-28T03:00:00+02:00",
}


names = st.from_regex(r"[A-Za-z][A-Za-z0-9._-]{0,99}", fullmatch=True)


instants = st.integers(0, 4_000_000_000).map(lambda unix: datetime.fromtimestamp(unix, UTC))


runs, numbers = st.integers(1, 10**18 - 1), st.integers(1, 10**9 - 1)


zones = st.sampled_from(["UTC", "Europe/Berlin", "Asia/Kolkata", "America/St_Johns"])


def test_an_attempt_is_read_out_of_its_variables() -> None:
    assert attempt_of(VARIABLES) == Attempt(Run(7, "backup", utc(2027, 3, 28, 1)), 2)


@settings(max_examples=50)
@given(names, runs, instants, numbers, zones)
def test_what_is_written_reads_the_same(
    job: str, run: int, instant: datetime, number: int, zone: str
) -> None:
    entry = Entry(job, Reboot(), "@reboot", ZoneInfo(zone), "x")
    attempt = Attempt(Run(run, job, instant), number)
    assert attempt_of(attempt_variables(entry, attempt)) == attempt


@pytest.mark.parametrize(
    ("changed", "why"),
    [
        ({b"CRON_RUN": b""}, "a number is missing"),
        ({b"CRON_RUN": b"seven"}, "or none"),
        ({b"CRON_RUN": b"0"}, "runs count from 1"),
        ({b"CRON_RUN": b"-7"}, "and up"),
        ({b"CRON_RUN": b" 7"}, "Python would take blanks"),
        ({b"CRON_RUN": b"1_000"}, "and underscores"),
        ({b"CRON_RUN": "\u0667".encode()}, "and the digits of all scripts"),
        ({b"CRON_RUN": b"1" * 19}, "a run that no output can be called by"),
        ({b"CRON_RUN": b"9" * 400}, "nor SQLite count to"),
        ({b"CRON_ATTEMPT": b"1" * 10}, "an attempt of that kind"),
        ({b"CRON_JOB": b"../../x"}, "a path out of the outputs"),
        ({b"CRON_JOB": b"/etc"}, "or from the root"),
        ({b"CRON_JOB": b".."}, "or up"),
        ({b"CRON_JOB": b""}, "no name"),
        ({b"CRON_JOB": b"12"}, "a run's number"),
        ({b"CRON_JOB": b"back\xffup"}, "bytes that are no text"),
        ({b"CRON_JOB": b"back\nup"}, "a line more"),
        ({b"CRON_JOB": "b\u00e4ckup".encode()}, "letters that no job's name has"),
        ({b"CRON_JOB": b"x" * 101}, "a name longer than any"),
        ({b"CRON_ATTEMPT": b"9" * 5000}, "more digits than Python takes"),
        ({b"CRON_ATTEMPT": b"\xff\xfe"}, "bytes that are no text"),
        ({b"CRON_SCHEDULED": b"noon"}, "no instant"),
        ({b"CRON_SCHEDULED": b"2027-03-28T03:00:00\xff"}, "nor this"),
        ({b"CRON_SCHEDULED": b"2027-03-28T03:00:00.5+02:00"}, "instants are whole seconds"),
        ({b"CRON_SCHEDULED": b"2027-03-28T03:00:00"}, "of which zone"),
        ({b"CRON_SCHEDULED": b"0001-01-01T00:00:00+14:00"}, "before the first year"),
        ({b"CRON_SCHEDULED": b"9999-12-31T23:59:59-14:00"}, "after the last"),
    ],
)
def test_what_anybody_wrote_there_is_nobodys_attempt(changed: dict[bytes, bytes], why: str) -> None:
    assert attempt_of(VARIABLES | changed) is None, why


@pytest.mark.parametrize("name", VARIABLES)
def test_a_variable_that_is_missing_is_missed(name: bytes) -> None:
    found = attempt_of({key: value for key, value in VARIABLES.items() if key != name})
    assert found != attempt_of(VARIABLES)


@settings(max_examples=50)
@given(st.fixed_dictionaries({name: st.binary() for name in VARIABLES}))
def test_no_bytes_are_a_crash(environment: dict[bytes, bytes]) -> None:
    attempt_of(environment)
