"""What a job's process is known by: its variables, and the attempt read back out of them."""

from __future__ import annotations

from datetime import UTC, datetime
from zoneinfo import ZoneInfo

import pytest
from fakes import utc
from hypothesis import given, settings
from hypothesis import strategies as st

from scheduler.entry import Entry, Reboot
from scheduler.process import job_environment
from scheduler.run import Attempt, Run

MARKED = {
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
    assert job_environment.attempt_of(MARKED) == Attempt(Run(7, "backup", utc(2027, 3, 28, 1)), 2)


@settings(max_examples=50)
@given(names, runs, instants, numbers, zones)
def test_what_is_written_reads_the_same(
    job: str, run: int, instant: datetime, number: int, zone: str
) -> None:
    entry = Entry(job, Reboot(), "@reboot", ZoneInfo(zone), "x")
    attempt = Attempt(Run(run, job, instant), number)
    assert job_environment.attempt_of(job_environment.attempt_variables(entry, attempt)) == attempt


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
        ({b"CRON_RUN": b"9" * 400}, "nor SQLite hold"),
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
    assert job_environment.attempt_of(MARKED | changed) is None, why


@pytest.mark.parametrize("name", MARKED)
def test_a_variable_that_is_missing_is_missed(name: bytes) -> None:
    found = job_environment.attempt_of({key: value for key, value in MARKED.items() if key != name})
    assert found != job_environment.attempt_of(MARKED)


@settings(max_examples=50)
@given(st.fixed_dictionaries({name: st.binary() for name in MARKED}))
def test_no_bytes_are_a_crash(environment: dict[bytes, bytes]) -> None:
    job_environment.attempt_of(environment)
