"""A signal that comes while a daemon begins: it waits for the loop, and ends nothing."""

from __future__ import annotations

import signal
import time
from typing import TYPE_CHECKING

import pytest
from real_daemon import running, until

if TYPE_CHECKING:
    from pathlib import Path

pytestmark = pytest.mark.e2e


@pytest.mark.parametrize("delay", [0, 0.02, 0.1])
@pytest.mark.parametrize(
    ("number", "status", "reason"),
    [
        (signal.SIGHUP, None, "the crontabs are read again, at worst once more than needed"),
        (signal.SIGUSR1, 0, "there is nothing to wait for, so it ends as drained"),
    ],
    ids=["HUP", "USR1"],
)
def test_a_signal_at_the_start_waits_for_the_loop(
    tmp_path: Path, number: signal.Signals, status: int | None, reason: str, delay: float
) -> None:
    crontab, log = tmp_path / "a.crontab", tmp_path / "log"
    crontab.write_text("0 0 1 1 * true\n")
    crontab.chmod(0o600)
    words = (str(crontab), "--state", str(tmp_path / "state"), "--log-format", "json")
    with running(*words, log=log) as daemon:
        until(lambda: b"\n" in log.read_bytes())
        time.sleep(delay)
        daemon.popen.send_signal(number)
        if status is None:
            until(lambda: daemon.said("crontabs") or daemon.popen.poll() is not None, 30)
            assert daemon.popen.poll() is None, reason
            daemon.popen.terminate()
        assert daemon.popen.wait(30) == 0, reason
        assert daemon.said("stopped")
