"""The real system daemon on a made machine: its /etc, /run and /var/spool stand over the real ones.

That is so for the daemon and what it starts alone, in a mount namespace of their own.
"""

from __future__ import annotations

import json
import os
import subprocess
import sys
from contextlib import contextmanager
from typing import TYPE_CHECKING, Any

from users import until

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

    from made_machine import MadeMachine

# What is in the made /etc comes on top of the machine's own.
_STAGE = """
set -eu
root=$1; shift
mkdir "$root/stage"
mount -t tmpfs tmpfs "$root/stage"
mkdir "$root/stage/work"
cp -a "$root/etc" "$root/stage/etc"
mount -t overlay overlay -o "lowerdir=/etc,upperdir=$root/stage/etc,workdir=$root/stage/work" /etc
mount --bind "$root/run" /run
mount --bind "$root/var/spool" /var/spool
if [ -d "$root/usr/sbin" ]; then
  mount -t overlay overlay -o "lowerdir=$root/usr/sbin:/usr/sbin" /usr/sbin
fi
exec "$@"
"""


class SystemDaemon:
    """A running system daemon; owns its process and log, `does` commands beside it as root."""

    def __init__(self, process: subprocess.Popen[bytes], log: Path, state: Path) -> None:
        self.process = process
        self._log = log
        self._state = state

    def said(self, message: str) -> list[dict[str, Any]]:
        whole = self._log.read_text().rpartition("\n")[0].splitlines()
        lines = [json.loads(line) for line in whole if line.startswith("{")]
        return [line for line in lines if line["message"] == message]

    def does(self, *words: str, uid: int = 0) -> str:
        """What a command prints, on the machine that the daemon sees."""
        target = f"--target={self.process.pid}"
        inside = ("nsenter", "--mount", target, "--", sys.executable, "-m", "scheduler")
        state = ("--state", str(self._state))
        done = subprocess.run(
            (*inside, *words, *state), check=False, capture_output=True, timeout=60, user=uid
        )
        assert done.returncode in (0, 1), done.stderr  # 1: the crontabs have problems
        return done.stdout.decode()

    def rows(self, *words: str) -> list[dict[str, Any]]:
        return [json.loads(line) for line in self.does(*words, "--json").splitlines()]

    def ended(self) -> dict[str, dict[str, Any]]:
        """Return the newest run of each job that is over."""
        rows = reversed(self.rows("history"))
        return {row["job"]: row for row in rows if row["state"] in ("succeeded", "failed")}

    def printed(self, job: str) -> str:
        """What the last run of a job wrote."""
        return self.does("logs", job)


@contextmanager
def system_daemon(machine: MadeMachine, *words: str) -> Iterator[SystemDaemon]:
    """Let `meridian run --system` live on a made machine, until it has read the crontabs."""
    root, state = machine.root, machine.root / "state"
    program = (sys.executable, "-m", "scheduler", "run", "--system", "--log-format", "json")
    stage = ("unshare", "--mount", "--", "/bin/sh", "-c", _STAGE, "sh", str(root))
    with (root / "log").open("wb") as stream:
        process = subprocess.Popen(
            (*stage, *program, "--state", str(state), *words),
            stderr=stream,
            env={**os.environ, "CONFIGURATION_DIRECTORY": "/etc/meridian"},
        )
    daemon = SystemDaemon(process, root / "log", state)
    try:
        until(lambda: process.poll() is not None or daemon.said("crontabs"))
        assert process.poll() is None, (root / "log").read_text()
        yield daemon
    finally:
        process.terminate()
        process.wait(timeout=60)
