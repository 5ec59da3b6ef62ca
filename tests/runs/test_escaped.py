"""What gets away from an attempt that is ended: found, ended, journalled; and nobody else's."""

from __future__ import annotations

import json
import os
import signal
import subprocess
import sys
import time
from contextlib import contextmanager, suppress
from datetime import UTC, datetime
from pathlib import Path
from typing import TYPE_CHECKING, Any

import pytest

from scheduler.entry import Entry, Reboot
from scheduler.process import job_environment
from scheduler.process.procfs import Process, Processes
from scheduler.process.spawner import RealSpawner
from scheduler.run import Attempt, Run
from scheduler.schedule.zone_data import UTC_ZONE

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

NOON = datetime(2027, 3, 1, 12, tzinfo=UTC)
ENTRY = Entry("job", Reboot(), "", UTC_ZONE, "")


def attempt(run: int, number: int = 1) -> Attempt:
    return Attempt(Run(run, "job", NOON), number)


def until(what: Callable[[], object], seconds: float = 20) -> None:
    end = time.monotonic() + seconds
    while not what():
        assert time.monotonic() < end, "it does not happen"
        time.sleep(0.02)


@contextmanager
def child(script: str, mark: Attempt | None) -> Iterator[subprocess.Popen[bytes]]:
    """A child in a group of its own, marked as a job's process; all it starts goes with it."""
    environment = dict(os.environb) | (
        {} if mark is None else job_environment.attempt_variables(ENTRY, mark)
    )
    command = ("/bin/sh", "-c", script)
    made = subprocess.Popen(command, env=environment, start_new_session=True)
    try:
        yield made
    finally:
        started = [process.pid for process, _ in Processes().descendants(made.pid)]
        for pid in (made.pid, *started):
            with suppress(ProcessLookupError):
                os.kill(pid, signal.SIGKILL)
        made.wait()


# --- who is found --------------------------------------------------------------------------------


@pytest.fixture
def spawner() -> RealSpawner:
    return RealSpawner({}, "/", "me")


def commands(found: dict[Attempt, list[Process]] | Any, mark: Attempt) -> list[str]:
    texts = (Path(f"/proc/{each.pid}/cmdline").read_bytes() for each in found.get(mark, ()))
    return sorted(text.decode().split("\0")[1] for text in texts)


def test_who_is_in_another_session_or_group_got_away(spawner: RealSpawner) -> None:
    mark = attempt(1)
    script = "setsid sleep 301 & setsid sh -c 'setsid sleep 302 & wait' & sleep 303 & wait"
    with child(script, mark) as made:
        ended = {mark: made.pid}
        until(lambda: len(spawner.escaped(ended).get(mark, ())) == 3)
        assert commands(spawner.escaped(ended), mark) == ["-c", "301", "302"]
        for each in spawner.escaped(ended)[mark]:
            spawner.end(each, signal.SIGKILL)
        until(lambda: not spawner.escaped(ended))


def test_only_what_descends_from_this_daemon_and_has_its_variables_is_found(
    spawner: RealSpawner,
) -> None:
    """Another daemon's run may have the same number, job and instant."""
    mark = attempt(1)
    other = f"{sys.executable} -c 'import time; time.sleep(300)'"
    with child(f"setsid {other} & wait", mark) as made, child("setsid sleep 300 & wait", None):
        until(lambda: spawner.escaped({mark: made.pid}))
        assert spawner.escaped({attempt(2): made.pid, attempt(1, 2): made.pid}) == {}
        assert list(spawner._processes.descendants(made.pid + 1_000_000)) == []


def test_a_cgroup_tells_of_those_too_that_dropped_their_variables() -> None:
    mark, lives = attempt(1), list[int]()

    class Groups:
        def make(self, _name: str, _memory: int) -> None: ...
        def ran_out(self, _group: Path) -> bool:
            return False

        def remove(self, _group: Path) -> None: ...
        def living(self, name: str) -> list[int]:
            return lives if name == "1.1" else []

    spawner = RealSpawner({}, "/", "me", groups=Groups())
    with child("env -i setsid sleep 301 & wait", mark) as made:
        until(lambda: any(p.group != made.pid for p, _ in Processes().descendants(made.pid)))
        assert spawner.escaped({mark: made.pid}) == {}
        lives += [made.pid, *(p.pid for p, _ in Processes().descendants(made.pid)), 2**22 + 1]
        assert commands(spawner.escaped({mark: made.pid, attempt(2): 1}), mark) == ["301"]


def test_a_number_that_went_round_is_not_signalled(spawner: RealSpawner) -> None:
    with child("exec sleep 300", None) as made:
        found = spawner._processes.find(made.pid)
        assert found is not None
        spawner.end(Process(made.pid, found.start - 1, leads_session=True), signal.SIGKILL)
        assert made.poll() is None
        spawner.end(found, signal.SIGKILL)
        assert made.wait() == -signal.SIGKILL
        spawner.end(found, signal.SIGKILL)  # gone: nobody is signalled


def test_sigterm_reaches_a_stopped_process(spawner: RealSpawner) -> None:
    with child("exec sleep 300", None) as made:
        os.kill(made.pid, signal.SIGSTOP)
        spawner.keep(made.pid, spawner.started_at(made.pid) or 0)
        assert spawner.signal(made.pid, signal.SIGTERM)
        assert made.wait(timeout=20) == -signal.SIGTERM


# --- a daemon ------------------------------------------------------------------------------------

JOBS = {  # name: its command; each is ended by its timeout after a second, if not by itself
    "escapes": "setsid sh -c 'echo $$ > pid1; exec sleep 301' & exec sleep 300",
    "daemonizes": "(setsid sh -c 'sh -c \"echo \\$\\$ > pid2; exec sleep 301\" & exit' &) ; exec sleep 300",
    "is-deaf": "setsid sh -c 'trap \"\" TERM; echo $$ > pid3; while :; do sleep 1; done' & exec sleep 300",
    "stops": "echo $$ > pid5; kill -STOP $$; sleep 300",
    "leaves": "setsid sh -c 'echo $$ > pid4; exec sleep 60' & exit 0",
}  # fmt: skip


@pytest.mark.e2e
def test_a_daemon_ends_and_tells_what_got_away(tmp_path: Path) -> None:
    """But leaves alone what a job left that ended by itself."""
    head = f"HOME={tmp_path}\nCRON_RETRIES=0\nCRON_TIMEOUT=1s\nCRON_KILL_AFTER=1s\n"
    jobs = "".join(f"CRON_NAME={name} @reboot {text}\n" for name, text in JOBS.items())
    (tmp_path / "crontab").write_text(head + jobs)
    meridian = (sys.executable, "-m", "scheduler")
    state = ("--state", str(tmp_path / "state"))
    with (tmp_path / "log").open("wb") as log:
        command = (*meridian, "run", str(tmp_path / "crontab"), *state, "--log-format", "json")
        daemon = subprocess.Popen(command, stderr=log)
    try:
        until(lambda: (tmp_path / "log").read_text().count('"left behind"') >= 3, 60)
        numbers = {n: int((tmp_path / f"pid{n}").read_text()) for n in (1, 2, 3, 4, 5)}
        until(lambda: not any(is_alive(numbers[n]) for n in (1, 2, 3, 5)))
        assert is_alive(numbers[4])
    finally:
        daemon.send_signal(signal.SIGTERM)
        assert daemon.wait(timeout=60) == 0
        with suppress(ProcessLookupError, FileNotFoundError):
            os.kill(int((tmp_path / "pid4").read_text()), signal.SIGKILL)
    history = subprocess.run(
        (*meridian, "history", "--json", *state), check=True, capture_output=True
    ).stdout
    runs = {run["job"]: run["attempts"][0] for run in map(json.loads, history.splitlines())}
    left = {job: run["left_behind"] for job, run in runs.items()}
    assert left == {"escapes": 1, "daemonizes": 1, "is-deaf": 1, "stops": 0, "leaves": 0} | {
        "is-deaf": left["is-deaf"]  # its sleep may be seen beside it
    }
    assert left["is-deaf"] >= 1
    assert runs["stops"]["outcome"] == "timed out"
    assert runs["stops"]["took_s"] < 1.9  # by SIGTERM, not by SIGKILL a second later
    told = subprocess.run(
        (*meridian, "history", "escapes", *state), check=True, capture_output=True
    )
    assert b"left 1 process behind, which got SIGTERM too" in told.stdout


def is_alive(pid: int) -> bool:
    try:
        return Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()[0] != "Z"
    except FileNotFoundError:
        return False
