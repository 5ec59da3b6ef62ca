"""`exec`: a job runs here and now as its daemon would run it, and nobody hears of it."""

from __future__ import annotations

import json
import os
import pty
import signal
import stat
import subprocess
import sys
from contextlib import suppress
from typing import TYPE_CHECKING

import pytest
from real_daemon import is_alive, no_job_left, running, until

if TYPE_CHECKING:
    from pathlib import Path

    from conftest import Person


def ran(
    person: Person, line: str, *words: str, **options: object
) -> subprocess.CompletedProcess[bytes]:
    """What `exec` came to, as a process of its own: it takes over signals and waits for children."""
    process = person.starts("exec", "a", person.file(f"CRON_NAME=a {line}"), *words, **options)
    out, err = process.communicate(timeout=60)
    return subprocess.CompletedProcess(words, process.returncode, out, err)


@pytest.mark.parametrize(
    ("line", "status"),
    [
        ("0 9 * * * true\n", 0),
        ("0 9 * * * exit 7\n", 7),
        ("0 9 * * * kill -TERM $$\n", 143),
        ("0 9 * * * kill -KILL $$\n", 137),
        ("0 9 * * * no-such-program\n", 127),
        ("CRON_SUCCESS=7 0 9 * * * exit 7\n", 7),  # what counts as success is the daemon's
        ("CRON_RETRIES=3 0 9 * * * exit 7\n", 7),  # and so are retries
    ],
)
def test_the_exit_status_is_the_job_s_or_tells_of_its_signal(
    person: Person, line: str, status: int
) -> None:
    assert ran(person, line).returncode == status


@pytest.mark.parametrize(
    ("text", "why"),
    [
        ("SHELL=/no/shell\n{} exit 0\n", "a did not start: its SHELL '/no/shell': No such file"),
        ("HOME=/no/home\n{} exit 0\n", "a did not start: its HOME '/no/home': No such file"),
        ("CRON_MEMORY=4K\n{} exit 0\n", "a did not start: CRON_MEMORY=4K: too little"),
    ],
)
def test_what_could_not_start_has_a_status_of_its_own(person: Person, text: str, why: str) -> None:
    file = person.file(text.format("CRON_NAME=a 0 9 * * *"))
    process = person.starts("exec", "a", file)
    _, err = process.communicate(timeout=60)
    assert process.returncode == 125
    assert why in err.decode()


def test_it_reads_what_follows_the_percent_sign_and_else_nothing(person: Person) -> None:
    assert ran(person, "0 9 * * * cat%one%two\n", stdin=subprocess.PIPE).stdout == b"one\ntwo\n"
    assert ran(person, "0 9 * * * cat\n", stdin=subprocess.PIPE).stdout == b""


def test_both_streams_come_as_one_as_in_its_output_file(person: Person) -> None:
    for limits in ("", "CRON_CPU=9 ", "CRON_NICE=1 "):
        found = ran(person, f"{limits}0 9 * * * echo one; echo two >&2\n")
        assert found.stdout == b"one\ntwo\n"


@pytest.mark.parametrize(
    ("line", "said"),
    [
        ("CRON_NICE=7 0 9 * * * nice\n", "7"),
        ("CRON_CPU=9 0 9 * * * ulimit -t\n", "9"),
        ("CRON_MEMORY=200M 0 9 * * * ulimit -d\n", "204800"),
    ],
)
def test_it_runs_under_its_limits(person: Person, line: str, said: str) -> None:
    assert ran(person, line).stdout.decode().strip() == said


def test_a_limit_that_ended_it_is_named(person: Person) -> None:
    found = ran(person, "CRON_CPU=1s 0 9 * * * while :; do :; done\n")
    assert found.returncode == 128 + signal.SIGXCPU
    assert b"a came to its CRON_CPU\n" in found.stderr


def test_after_its_timeout_it_gets_sigterm_and_then_sigkill(person: Person) -> None:
    """With all that it has started, of which one ignores the first."""
    pids = person.home / "pids"
    stubborn = f"(trap '' TERM; echo $$ > {pids}; exec sleep 600) & trap '' TERM; sleep 600; wait"
    with no_job_left(pids):
        found = ran(person, f"CRON_TIMEOUT=1s CRON_KILL_AFTER=0.2s 0 9 * * * {stubborn}\n")
        assert found.returncode == 128 + signal.SIGKILL
        assert b"a was ended: CRON_TIMEOUT=1s had passed\n" in found.stderr
        until(lambda: not is_alive(int(pids.read_text())), 10)


@pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGTERM, signal.SIGHUP, signal.SIGQUIT])
def test_ctrl_c_reaches_the_job(person: Person, number: signal.Signals) -> None:
    """Whatever would end a program at a terminal reaches it and all that it has started."""
    name, ready = number.name.removeprefix("SIG"), person.home / "ready"
    job = f"trap 'echo got it; exit 9' {name}; touch {ready}; while :; do sleep 0.1; done"
    # What a shell has in the background ignores two of them, and would pass that on.
    before = signal.signal(number, signal.SIG_DFL)
    process = person.starts("exec", "a", person.file(f"CRON_NAME=a 0 9 * * * {job}\n"))
    signal.signal(number, before)
    until(ready.exists, 30)
    process.send_signal(number)
    out, _ = process.communicate(timeout=30)
    assert out.endswith(b"got it\n")  # a shell may tell before it which signal ended `sleep`
    assert process.returncode == 9


def test_ctrl_z_stops_it_and_fg_lets_it_go_on(person: Person) -> None:
    ready = person.home / "ready"
    job = f"echo $$ > {ready}.new; mv {ready}.new {ready}; while :; do sleep 0.05; done"
    process = person.starts("exec", "a", person.file(f"CRON_NAME=a 0 9 * * * {job}\n"))
    until(ready.exists, 30)
    pid = int(ready.read_text())

    def states() -> str:
        stats = [(person.home / f"/proc/{each}/stat").read_text() for each in (process.pid, pid)]
        return "".join(each.rpartition(")")[2].split()[0] for each in stats)

    process.send_signal(signal.SIGTSTP)
    until(lambda: states() == "TT", 30)
    process.send_signal(signal.SIGCONT)
    until(lambda: "T" not in states(), 30)
    process.send_signal(signal.SIGINT)
    process.communicate(timeout=30)
    assert process.returncode == 128 + signal.SIGINT


def test_the_keys_of_a_terminal_reach_a_job_that_has_none(person: Person) -> None:
    """As under the daemon, the job has no terminal to control; Ctrl-C gets there all the same."""
    job = "trap 'echo got it; exit 9' INT; tty; (: </dev/tty) 2>/dev/null || echo none;"
    file = person.file(f"CRON_NAME=a 0 9 * * * {job} echo ready; while :; do sleep 0.1; done\n")
    pid, terminal = pty.fork()
    if pid == 0:
        os.execv(sys.executable, (sys.executable, "-m", "scheduler", "exec", "a", file))
    seen = b""
    with suppress(OSError):  # EIO at its end
        while piece := os.read(terminal, 1024):
            seen += piece
            if b"ready" in seen and b"^C" not in seen:
                os.write(terminal, b"\x03")
                seen += b"^C"
    os.close(terminal)
    assert b"not a tty" in seen
    assert b"none" in seen
    assert b"got it" in seen
    assert os.waitstatus_to_exitcode(os.waitpid(pid, 0)[1]) == 9


def test_what_was_ignored_is_ignored_on_and_the_job_has_the_default(person: Person) -> None:
    """As under nohup(1): a hangup does not reach the job, which could be ended by one."""
    job = "kill -HUP $PPID; sleep 0.3; kill -HUP $$; echo never"
    file = person.file(f"CRON_NAME=a 0 9 * * * {job}\n")
    words = f"trap '' HUP; exec {sys.executable} -m scheduler exec a {file}"
    found = subprocess.run(("sh", "-c", words), capture_output=True, check=False, timeout=60)
    assert (found.stdout, found.returncode) == (b"", 128 + signal.SIGHUP)


def test_it_leaves_no_trace_in_the_journal(person: Person) -> None:
    person.has(f"CRON_NAME=a {person.line('0 9 * * *', 'exit 3')}")
    process = person.starts("exec", "a")
    process.communicate(timeout=60)
    assert process.returncode == 3
    assert not person.state.exists()


@pytest.mark.e2e
def test_a_job_finds_the_same_in_the_foreground_as_under_the_daemon(
    person: Person, tmp_path: Path
) -> None:
    """Though this shell has other variables, another folder and umask than the daemon's."""
    found = tmp_path / "found"
    job = (
        f"{{ env | grep -v ^CRON_; pwd; umask; ulimit -t; nice; cat; echo $0; ps -o sid=,pgid= -p $$"
        f" | tr -s ' ' '\\n' | sort -u | wc -l; [ -t 0 ] || echo none; }}"
        f" > {found}.$CRON_RUN.new; mv {found}.$CRON_RUN.new {found}.$CRON_RUN"
    )
    line = person.line("0 9 1 1 *", f"{job}%hello")
    person.has(f"SIZE=3\nCRON_NAME=a CRON_CPU=50 CRON_NICE=3 {line}")
    old = os.umask(0o027)
    try:
        daemon = running("--log-format", "json", log=tmp_path / "log", OF_THE_DAEMON="1")
        with daemon as process:
            until(lambda: process.said("crontabs"))
            os.umask(0o002)
            assert person.types("trigger", "a").exit_code == 0
            until((tmp_path / "found.1").exists)
            by_hand = person.starts("exec", "a", env={**os.environ, "OF_THE_SHELL": "1"}, cwd="/")
            _, err = by_hand.communicate(timeout=60)
            history = person.types("history", "--json").stdout.splitlines()
    finally:
        os.umask(old)
    assert b"As the running daemon has it for its jobs" in err
    under_daemon, here = (tmp_path / "found.1").read_text(), (tmp_path / "found.0").read_text()
    assert sorted(here.splitlines()) == sorted(under_daemon.splitlines())
    assert "OF_THE_DAEMON=1" in here
    assert "OF_THE_SHELL" not in here
    assert stat.S_IMODE((tmp_path / "found.0").stat().st_mode) == 0o640
    assert [json.loads(each)["run"] for each in history] == [1]


@pytest.mark.e2e
def test_a_run_that_goes_on_beside_it_is_told(person: Person, tmp_path: Path) -> None:
    person.has(f"CRON_NAME=a {person.line('0 9 1 1 *', '[ $CRON_RUN = 0 ] || sleep 60')}")
    with running("--log-format", "json", "--grace", "0", log=tmp_path / "log") as process:
        until(lambda: process.said("crontabs"))
        person.types("trigger", "a")
        until(lambda: process.said("started"))
        by_hand = person.starts("exec", "a")
        _, err = by_hand.communicate(timeout=60)
        process.ends(signal.SIGTERM)
    assert b"warning: run 1 of a goes on beside this one\n" in err
    assert by_hand.returncode == 0
