"""A daemon that is itself under limits: it says which, in a line, and goes on when they are lifted."""

from __future__ import annotations

import resource
import signal
import subprocess
import sys
from contextlib import closing
from typing import TYPE_CHECKING

import pytest
from log_lines import heard

from scheduler.journal.journal import Journal

if TYPE_CHECKING:
    from collections.abc import Iterator

    from conftest import Person

pytestmark = [
    pytest.mark.e2e,
    pytest.mark.skipif(sys.platform != "linux", reason="prlimit, and RLIMIT_DATA that counts"),
]

JOB = """CRON_RETRIES=0
CRON_NAME=job 0 0 1 1 * echo ran
CRON_NAME=slow 0 0 1 1 * sleep 2
"""
UNLIMITED = resource.RLIM_INFINITY


@pytest.fixture
def daemon(person: Person) -> Iterator[subprocess.Popen[bytes]]:
    process = person.starts("run", person.file(JOB), "--log-format", "json", "--grace", "0")
    heard(process, "crontabs")
    yield process
    process.terminate()
    process.communicate(timeout=60)


def limit(process: subprocess.Popen[bytes], which: int, soft: int) -> None:
    _, hard = resource.prlimit(process.pid, which)
    resource.prlimit(process.pid, which, (soft, hard))


def states(person: Person) -> list[str]:
    with closing(Journal.open(person.state / "journal.db", readonly=True)) as journal:
        return [str(row.state) for row in journal.queries.history()]


def test_a_limit_on_files_is_told_as_what_it_is_and_over_when_it_is_lifted(
    person: Person, daemon: subprocess.Popen[bytes]
) -> None:
    assert person.types("trigger", "slow").exit_code == 0
    heard(daemon, "started")
    limit(daemon, resource.RLIMIT_FSIZE, 1000)
    refused = person.types("trigger", "job")
    told = "no file of this process may have more than 1,000 bytes (`ulimit -f`)"
    assert (refused.exit_code, told in refused.stderr) == (1, True)
    assert told in heard(daemon, "journal")[-1]["error"], "the end of the other one"
    assert told in person.types("status").stdout
    limit(daemon, resource.RLIMIT_FSIZE, UNLIMITED)
    heard(daemon, "recovered")
    assert person.types("trigger", "job").exit_code == 0
    heard(daemon, "succeeded")
    assert states(person) == ["succeeded"] * 2


def test_a_daemon_that_can_write_no_journal_says_why(person: Person) -> None:
    done = under("-f 1", "run", person.file(JOB))
    assert (done.returncode, done.stderr.count("\n") <= 2) == (1, True), done.stderr
    assert "no file of this process may have more than" in done.stderr


@pytest.mark.parametrize("kib", [10_000, 20_000, 30_000, 45_000, 55_000])
@pytest.mark.parametrize("words", [("run",), ("check",)])
def test_a_command_without_memory_says_so_in_a_line(
    person: Person, words: tuple[str, ...], kib: int
) -> None:
    """Under each of these it gets a little further than under the one before."""
    done = under(f"-d {kib}", *words, person.file(JOB))
    assert "Traceback" not in done.stderr
    if (*words, kib) in MAY_FIT:
        return
    assert done.returncode == 1
    told = f"this process may use {kib / 1024:.0f} MB (`ulimit -d {kib}`)"
    assert told in done.stderr.splitlines()[-1]


MAY_FIT = {("check", 45_000), ("check", 55_000)}


@pytest.mark.parametrize("ulimit", ["-v 8000000", "-d unlimited"])
def test_a_library_that_is_not_there_is_no_shortage_of_memory(ulimit: str) -> None:
    code = "import sys; sys.modules['typer'] = None; import scheduler.__main__"
    script = f'ulimit {ulimit}; exec "$@"'
    command = ("/bin/sh", "-c", script, "sh", sys.executable, "-c", code)
    done = subprocess.run(command, capture_output=True, text=True, check=False)
    assert "ModuleNotFoundError: import of typer" in done.stderr.splitlines()[-1]
    assert "memory" not in done.stderr.splitlines()[-1]


def under(ulimit: str, *words: str) -> subprocess.CompletedProcess[str]:
    """What a command says under a limit; one that runs on is stopped."""
    script = f'ulimit {ulimit}; exec timeout -s INT 10 "$@"'
    command = ("/bin/sh", "-c", script, "sh", sys.executable, "-m", "scheduler", *words)
    return subprocess.run(command, capture_output=True, text=True, check=False)


def test_a_daemon_that_gets_no_more_memory_says_so_and_goes_on_when_it_does(
    person: Person, daemon: subprocess.Popen[bytes]
) -> None:
    limit(daemon, resource.RLIMIT_DATA, 1 << 20)  # nothing may grow any more
    more = "".join(f"CRON_NAME=more{n} 0 0 1 1 * true\n" for n in range(30_000))
    person.file(JOB + more)
    daemon.send_signal(signal.SIGHUP)
    told = heard(daemon, "memory")[-1]["error"]
    # Which step is the first to lack memory depends on when the signal comes in the minute.
    assert told.startswith("there was no memory to ")
    assert told.endswith(": this process may use 1 MB (`ulimit -d 1024`); it is tried again")
    limit(daemon, resource.RLIMIT_DATA, UNLIMITED)
    assert heard(daemon, "crontabs")[-1]["entries"] == 30_002
    assert person.types("trigger", "job").exit_code == 0
    heard(daemon, "succeeded")
    assert states(person) == ["succeeded"]
