"""The real daemon as PID 1 of a container, and how it is told to end there and elsewhere."""

from __future__ import annotations

import json
import os
import signal
import socket
import subprocess
import sys
import time
from contextlib import contextmanager, suppress
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

import pytest

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

pytestmark = [pytest.mark.e2e, pytest.mark.privileged]

# Each starts at once: there has been no daemon since this boot. Nothing else is ever due.
JOBS = {
    "well": "exec sleep 300",
    "stubborn": "trap '' TERM; echo deaf; while :; do sleep 1; done",
    "short": "sleep 1.5; echo done",
    "orphaning": "(setsid sh -c 'sleep 0.3; exit 3' & ) ; (setsid sleep 0.3 &) ; echo left",
}
HEAD = "CRON_RETRIES=0\nCRON_KILL_AFTER=1s\n"


@dataclass(frozen=True, slots=True)
class Container:
    """A process of its own numbering, whose first is a daemon; `pid` is the daemon's, outside."""

    outer: subprocess.Popen[bytes]
    pid: int
    folder: Path
    manager: socket.socket  # where it reports to, as to systemd

    def ends(self) -> int:
        """Wait until it has ended by itself; return its exit status."""
        return self.outer.wait(timeout=60)

    def said(self, message: str) -> list[dict[str, Any]]:
        whole = (self.folder / "log").read_text().rpartition("\n")[0]
        lines = [json.loads(line) for line in whole.splitlines()]
        return [line for line in lines if line["message"] == message]

    def runs(self, job: str) -> list[dict[str, Any]]:
        """The job's runs."""
        state = str(self.folder / "state")
        command = (sys.executable, "-m", "scheduler", "history", job, "--json", "--state", state)
        text = subprocess.run(command, check=True, capture_output=True).stdout
        return [json.loads(line) for line in text.splitlines()]

    def outcomes(self, job: str) -> list[str]:
        """How the attempts of a job's only run ended."""
        (run,) = self.runs(job)
        return [attempt["outcome"] for attempt in run["attempts"]]

    def children(self) -> list[str]:
        """The states of the daemon's children, as in proc_pid_stat(5)."""
        found = []
        for folder in Path("/proc").iterdir():
            if folder.name.isdecimal():
                with suppress(OSError):
                    state, parent = (folder / "stat").read_text().rpartition(")")[2].split()[:2]
                    found += [state] if int(parent) == self.pid else []
        return found


def until(what: Callable[[], object]) -> None:
    end = time.monotonic() + 60
    while not what():
        assert time.monotonic() < end, "it never was"
        time.sleep(0.02)


@contextmanager
def container(folder: Path, *jobs: str, grace: str = "1") -> Iterator[Container]:
    """A daemon as PID 1 with these jobs, all of which have started."""
    crontab, log = folder / "crontab", folder / "log"
    crontab.write_text(HEAD + "".join(f"CRON_NAME={job} @reboot {JOBS[job]}\n" for job in jobs))
    crontab.chmod(0o600)
    words = ("run", str(crontab), "--state", str(folder / "state"), "--grace", grace)
    daemon = (sys.executable, "-m", "scheduler", *words, "--log-format", "json")
    with socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM) as manager, log.open("wb") as stream:
        (folder / "manager").unlink(missing_ok=True)
        manager.bind(str(folder / "manager"))
        manager.settimeout(60)
        outer = subprocess.Popen(
            ("unshare", "--pid", "--fork", "--mount-proc", "--kill-child", *daemon),
            stderr=stream,
            env={**os.environ, "NOTIFY_SOCKET": str(folder / "manager")},
        )
        try:
            assert manager.recv(1000).startswith(b"READY=1")
            (inner,) = Path(f"/proc/{outer.pid}/task/{outer.pid}/children").read_text().split()
            found = Container(outer, int(inner), folder, manager)
            until(lambda: len(found.said("started")) == len(jobs))
            yield found
        finally:
            outer.kill()
            outer.wait()


def test_it_is_process_1(tmp_path: Path) -> None:
    with container(tmp_path, "well") as found:
        (told,) = found.said("meridian")
        assert told["pid"] == 1


def test_it_buries_the_orphans_that_its_jobs_leave(tmp_path: Path) -> None:
    with container(tmp_path, "orphaning") as found:
        until(lambda: found.said("succeeded") and found.children() == [])
        os.kill(found.pid, signal.SIGTERM)
        assert found.ends() == 0
        assert found.outcomes("orphaning") == ["exit 0"]
        assert found.said("bug") == []


def test_each_start_of_the_container_is_a_boot(
    tmp_path: Path,
) -> None:
    """The state is kept, as on a volume; so `@reboot` runs at each start, and once in each."""
    for before in (0, 1):
        with container(tmp_path, "short") as found:
            until(lambda: found.said("succeeded"))
            os.kill(found.pid, signal.SIGHUP)
            until(lambda: len(found.said("crontabs")) == 2)
            os.kill(found.pid, signal.SIGTERM)
            assert found.ends() == 0
            assert len(found.runs("short")) == before + 1


@pytest.mark.parametrize("number", [signal.SIGTERM, signal.SIGINT])
def test_a_stop_reaches_the_jobs_after_the_grace_time_and_ends_the_container(
    tmp_path: Path, number: signal.Signals
) -> None:
    """Who is deaf to SIGTERM gets SIGKILL."""
    outputs = tmp_path / "state/outputs/stubborn"
    with container(tmp_path, "well", "stubborn") as found:
        until(lambda: any(path.read_bytes() for path in outputs.glob("*")))
        os.kill(found.pid, number)
        assert found.ends() == 0
        assert found.outcomes("well") == ["signal 15"]
        assert found.outcomes("stubborn") == ["signal 9"]
        until(lambda: found.manager.recv(1000) == b"STOPPING=1")  # after lines of status


def test_a_drain_waits_for_the_jobs_whatever_the_grace_time(tmp_path: Path) -> None:
    with container(tmp_path, "short", grace="0") as found:
        os.kill(found.pid, signal.SIGUSR1)
        until(lambda: found.manager.recv(1000) == b"STOPPING=1")  # after lines of status
        assert found.ends() == 0
        assert found.outcomes("short") == ["exit 0"]
        assert [len(found.said(told)) for told in ("draining", "stopping")] == [1, 0]


def test_a_stop_cuts_a_drain_short(tmp_path: Path) -> None:
    with container(tmp_path, "well", grace="0") as found:
        os.kill(found.pid, signal.SIGUSR1)
        until(lambda: found.said("draining"))
        os.kill(found.pid, signal.SIGTERM)
        assert found.ends() == 0
        assert found.outcomes("well") == ["signal 15"]


def test_signals_that_mean_nothing_to_it_do_nothing(tmp_path: Path) -> None:
    """The kernel spares PID 1 those that it has no handler for; SIGHUP reads the crontab again."""
    with container(tmp_path, "well") as found:
        for number in (signal.SIGQUIT, signal.SIGALRM, signal.SIGUSR2, signal.SIGPIPE):
            os.kill(found.pid, number)
        os.kill(found.pid, signal.SIGHUP)
        until(lambda: len(found.said("crontabs")) == 2)
        os.kill(found.pid, signal.SIGTERM)
        assert found.ends() == 0
