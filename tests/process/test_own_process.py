"""The signals of this process are its jobs' too: each has its default disposition."""

from __future__ import annotations

import signal
from typing import TYPE_CHECKING

import pytest
from spawner_stages import RealStage, in_another_daemon, on_linux, real_stage

from scheduler.process.own_process import default_signals

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path


@pytest.fixture
def real(tmp_path: Path) -> Iterator[RealStage]:
    yield from real_stage(tmp_path)


LIBCS_OWN = 1 << 31 | 1 << 32  # signals 32 and 33, which glibc's posix_spawn leaves ignored


@on_linux
@pytest.mark.parametrize(
    ("before", "why"),
    [
        ((), "Python ignores SIGPIPE, and that is not passed on"),
        (("nohup",), "nohup ignores SIGHUP"),
        (("sh", "-c", "trap '' INT QUIT TERM USR1; exec \"$@\"", "sh"), "as a shell's background"),
    ],
)
def test_a_job_has_default_signals_whatever_the_daemon_was_started_under(
    tmp_path: Path, before: tuple[str, ...], why: str
) -> None:
    found = in_another_daemon(
        tmp_path,
        "grep -E '^Sig(Ign|Blk)' /proc/self/status",
        check="__import__('signal').pthread_sigmask(0, {10, 12}) is not None",
        before=before,
    )
    masks = dict(line.split(":") for line in found.decode().splitlines())
    assert {name: int(mask, 16) & ~LIBCS_OWN for name, mask in masks.items()} == {
        "SigBlk": 0,
        "SigIgn": 0,
    }, why


def test_default_signals_leaves_handlers_and_pythons_own_alone() -> None:
    before = {number: signal.getsignal(number) for number in signal.valid_signals()}
    try:
        signal.signal(signal.SIGUSR1, signal.SIG_IGN)
        signal.signal(signal.SIGUSR2, lambda *_: None)
        handler = signal.getsignal(signal.SIGUSR2)
        default_signals()
        assert signal.getsignal(signal.SIGUSR1) is signal.SIG_DFL
        assert signal.getsignal(signal.SIGUSR2) is handler
        assert signal.getsignal(signal.SIGPIPE) is signal.SIG_IGN
        assert signal.pthread_sigmask(signal.SIG_BLOCK, ()) == set()
    finally:
        for number, handler in before.items():
            if signal.getsignal(number) is not handler:
                signal.signal(number, handler)
