"""A sender's process, whatever it does: answers, hangs, talks nonsense, fills its pipes, dies."""

from __future__ import annotations

import os
import signal
import sys
import time
from contextlib import closing
from typing import TYPE_CHECKING

import pytest
from processes import children_reaped, is_gone

from scheduler.alerts.sender_process import LONGEST_COMPLAINT, SenderProcess

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

PATIENT, IMPATIENT = 30.0, 0.2


@pytest.fixture(autouse=True)
def no_child_left() -> Iterator[None]:
    """The daemon's reaper is who hears of their end."""
    with children_reaped():
        yield


def answers(script: str, lines: bytes = b"", patience: float = PATIENT) -> list[bytes]:
    with closing(SenderProcess(("/bin/sh", "-c", script), dict(os.environ))) as sender:
        try:
            return list(sender.answers(lines, patience, time.monotonic))
        finally:
            sender.kill()


def test_what_it_answers_is_read_line_by_line() -> None:
    assert answers("cat", b"one\ntwo\n") == [b"one", b"two"]


def test_half_a_line_is_no_answer() -> None:
    assert answers("printf 'one\\ntw'") == [b"one"]


def test_many_deliveries_go_through_a_small_pipe() -> None:
    line = b"x" * 999 + b"\n"
    assert answers("cat", line * 5000) == [line[:-1]] * 5000


def test_one_that_reads_nothing_is_heard_all_the_same() -> None:
    assert answers("exec <&-; echo done", b"x" * 1_000_000) == [b"done"]


def test_one_that_dies_has_said_what_it_said() -> None:
    assert answers("echo one; kill -9 $$") == [b"one"]


@pytest.mark.parametrize("script", ["sleep 1000", "trap '' TERM INT; sleep 1000", "echo one; sleep 1000"])  # fmt: skip
def test_one_that_hangs_is_out_of_time(script: str) -> None:
    with pytest.raises(TimeoutError):
        answers(script, patience=IMPATIENT)


def test_it_has_as_much_time_for_each_answer() -> None:
    script = "for n in 1 2 3 4 5; do sleep 0.1; echo $n; done"
    assert len(answers(script, patience=0.4)) == 5


def test_complaints_are_no_answers_and_take_no_time_from_it() -> None:
    with pytest.raises(TimeoutError):
        answers("while :; do echo moan >&2; sleep 0.01; done", patience=IMPATIENT)


def test_a_line_that_never_ends_is_nonsense() -> None:
    with pytest.raises(ValueError, match="never ends"):
        answers("cat /dev/zero")


def test_of_what_it_complains_the_end_is_kept() -> None:
    script = "yes moan | head -c 3000000 >&2; echo last words >&2; echo done"
    with closing(SenderProcess(("/bin/sh", "-c", script), dict(os.environ))) as sender:
        assert list(sender.answers(b"", PATIENT, time.monotonic)) == [b"done"]
        assert sender.complaint.endswith("last words\n")
        assert len(sender.complaint) <= LONGEST_COMPLAINT


def test_who_is_started_by_it_keeps_nobody_waiting() -> None:
    """A command that goes on in the background has its pipe of errors, not that of answers."""
    script = "sleep 1000 >/dev/null & echo $! >&2; echo done"
    with closing(SenderProcess(("/bin/sh", "-c", script), dict(os.environ))) as sender:
        assert list(sender.answers(b"", PATIENT, time.monotonic)) == [b"done"]
        os.kill(int(sender.complaint), signal.SIGKILL)


def test_the_whole_group_is_killed(tmp_path: Path) -> None:
    pids = tmp_path / "pids"
    script = f"sleep 1000 & echo $! > {pids}; echo started; wait"
    with closing(SenderProcess(("/bin/sh", "-c", script), dict(os.environ))) as sender:
        lines = sender.answers(b"", PATIENT, time.monotonic)
        assert next(lines) == b"started"
        sender.kill()
        assert list(lines) == []
    assert is_gone(int(pids.read_text()))


def test_one_that_obeys_has_a_moment_and_any_other_is_killed(tmp_path: Path) -> None:
    """In that moment a channel ends what it has started, which has groups of its own."""
    obeys = f"trap 'echo bye > {tmp_path}/bye; exit' TERM; echo started; sleep 1000 & wait"
    for script, within in ((obeys, PATIENT), ("trap '' TERM; echo started; sleep 1000", 0.1)):
        with closing(SenderProcess(("/bin/sh", "-c", script), dict(os.environ))) as sender:
            lines = sender.answers(b"", PATIENT, time.monotonic)
            assert next(lines) == b"started"
            sender.kill(within=within)
            assert list(lines) == []
    assert (tmp_path / "bye").exists()


def test_one_that_has_ended_is_not_signalled(monkeypatch: pytest.MonkeyPatch) -> None:
    """Its number may be another's by then."""
    killed: list[int] = []
    monkeypatch.setattr(os, "killpg", lambda pid, _: killed.append(pid))
    with closing(SenderProcess(("/bin/sh", "-c", "true"), dict(os.environ))) as sender:
        assert list(sender.answers(b"", PATIENT, time.monotonic)) == []
        sender.kill()
    sender.kill()
    assert killed == []


@pytest.mark.skipif(sys.platform != "linux", reason="pidfd_open(2) is Linux's")
def test_who_has_given_its_pipe_away_and_ended_is_not_signalled(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    """Its number may be another's by then, whom root would kill."""
    words = ("/bin/sh", "-c", "setsid sleep 1000 & echo $!")
    with closing(SenderProcess(words, dict(os.environ), is_other_users=True)) as sender:
        lines = sender.answers(b"", IMPATIENT, time.monotonic)
        kept = int(next(lines))
        with pytest.raises(TimeoutError):
            next(lines)
        with monkeypatch.context() as signals:
            signals.setattr("os.killpg", lambda *_: pytest.fail("it was signalled"))
            sender.kill()
    os.kill(kept, signal.SIGKILL)


def test_one_that_complains_for_ever_is_heard_no_more() -> None:
    with pytest.raises(TimeoutError):
        answers("cat /dev/zero >&2", patience=2.0)
