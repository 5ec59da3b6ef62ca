"""Limits in words: what goes in front of a command, and which limit an ending tells of."""

from __future__ import annotations

import signal
from typing import TYPE_CHECKING

import pytest

from scheduler import limits
from scheduler.model import Exited, Limit, Settings, Signalled

if TYPE_CHECKING:
    from scheduler.model import Outcome

MIB = 2**20
KILL, TERM, XCPU = (Signalled(int(n)) for n in (signal.SIGKILL, signal.SIGTERM, signal.SIGXCPU))


def test_an_attempt_without_limits_starts_as_ever() -> None:
    assert not limits.are_set(Settings(timeout=5))
    assert limits.words(Settings(timeout=5)) == ()


@pytest.mark.parametrize("settings", [Settings(memory=1), Settings(cpu=0.1), Settings(nice=0)])
def test_each_limit_is_one(settings: Settings) -> None:
    assert limits.are_set(settings)


@pytest.mark.parametrize(
    ("nice", "own", "expected", "why"),
    [
        (10, 0, (b"/usr/bin/nice", b"-n", b"10"), "nice(1) adds to what it inherits"),
        (10, 5, (b"/usr/bin/nice", b"-n", b"5"), "and 10 means 10"),
        (-5, 5, (b"/usr/bin/nice", b"-n", b"-10"), "downwards too"),
        (0, 5, (b"/usr/bin/nice", b"-n", b"-5"), "nought is a niceness"),
        (5, 5, (), "there already"),
    ],
)
def test_niceness_is_absolute(nice: int, own: int, expected: tuple[bytes, ...], why: str) -> None:
    assert limits.words(Settings(nice=nice), own_nice=own) == expected, why


@pytest.mark.parametrize(
    ("cpu", "kill_after", "expected", "why"),
    [
        (60.0, 10.0, (60, 70), "SIGKILL comes CRON_KILL_AFTER behind SIGXCPU"),
        (0.2, 10.0, (1, 11), "whole seconds, rounded up"),
        (1.001, 0.5, (2, 3), "both"),
        (5.0, 0.0, (5, 6), "the kernel would never send SIGXCPU if both were one"),
    ],
)
def test_cpu_time_is_whole_seconds(
    cpu: float, kill_after: float, expected: tuple[int, int], why: str
) -> None:
    assert limits.cpu_seconds(Settings(cpu=cpu, kill_after=kill_after)) == expected, why


def script(settings: Settings, group: bytes | None = None) -> str:
    shell, option, text, *_ = limits.words(settings, group=group)
    assert (shell, option) == (b"/bin/sh", b"-c")
    return text.decode()


def test_memory_is_whole_kib_and_never_more_than_a_shell_can_count() -> None:
    assert "ulimit -d 1;" in script(Settings(memory=1))
    assert "ulimit -d 524288;" in script(Settings(memory=512 * MIB))
    assert "ulimit -d 4503599627370496;" in script(Settings(memory=999_999_999 * 2**40))


def test_a_cgroup_takes_the_place_of_the_resource_limit_and_comes_first() -> None:
    text = script(Settings(memory=MIB, cpu=5), group=b"/sys/fs/cgroup/a b/cgroup.procs")
    assert "ulimit -d" not in text
    assert text.index('echo 0 >"$1"') < text.index("ulimit -S -t 5") < text.index('exec "$@"')
    words = limits.words(Settings(memory=MIB), group=b"/a b/cgroup.procs")
    assert words[3:] == (b"sh", b"/a b/cgroup.procs"), "no path is part of the script"


def test_names_that_a_shell_would_drop_come_from_env() -> None:
    variables = [(b"A", b"1"), (b"a.b", b"x y"), (b"\xc3\xa9", b"\xff"), (b"-i", b"")]
    words = limits.words(Settings(cpu=5, nice=3), variables)
    assert words[4:] == (
        *(b"/usr/bin/env", b"--", b"a.b=x y", b"\xc3\xa9=\xff", b"-i="),
        *(b"/usr/bin/nice", b"-n", b"3"),
    )
    assert limits.words(Settings(nice=3), variables)[0] == b"/usr/bin/nice", "no shell, no loss"


@pytest.mark.parametrize(
    ("output", "expected", "why"),
    [
        (b"meridian: not started: CRON_CPU=5s: no\n", "CRON_CPU=5s: no", "its first line"),
        (b"meridian: not started: no", "no", "a disk that filled up"),
        (b"", None, "the job's own 126"),
        (b"sh: 1: x: Permission denied\n", None, "and its words"),
        (b"x\nmeridian: not started: no\n", None, "not the first thing that was written"),
        (b"meridian: not started: \xff\n", "\ufffd", "bytes that are no text"),
    ],
)
def test_a_refusal_is_told_from_a_job_that_ends_so(
    output: bytes, expected: str | None, why: str
) -> None:
    assert limits.refusal(output) == expected, why


CPU, MEMORY = Settings(cpu=5, kill_after=2), Settings(memory=100 * MIB)
ENDINGS = [
    # settings, outcome, cpu_s, peak in MiB, ran_out, expected, reason
    (CPU, XCPU, 5.0, None, None, Limit.CPU, "the soft limit"),
    (CPU, Exited(152), 0.1, None, None, Limit.CPU, "of a child: its shell says so"),
    (CPU, KILL, 7.0, None, None, Limit.CPU, "the hard limit"),
    (CPU, Exited(137), 7.0, None, None, Limit.CPU, "the hard limit of a child"),
    (CPU, KILL, 5.3, None, None, Limit.CPU, "the kernel counts in ticks, and tells less"),
    (CPU, KILL, 4.9, None, None, None, "somebody else killed it"),
    (CPU, TERM, 9.0, None, None, None, "no limit ends anything by SIGTERM"),
    (CPU, Exited(1), 5.5, None, None, None, "it failed by itself"),
    (CPU, Exited(0), 5.5, None, None, None, "it caught SIGXCPU and ended well"),
    (Settings(), XCPU, 5.0, None, None, None, "a limit of its own making"),
    (MEMORY, KILL, 1.0, None, True, Limit.MEMORY, "by its cgroup"),
    (MEMORY, Exited(137), 1.0, None, True, Limit.MEMORY, "by its cgroup, a child"),
    (MEMORY, Exited(0), 1.0, None, True, None, "it lived on without the child"),
    (MEMORY, KILL, 1.0, 100, False, None, "the cgroup knows better than the peak"),
    (MEMORY, Exited(1), 1.0, 100, False, None, "here too"),
    (MEMORY, Exited(1), 1.0, 90, None, Limit.MEMORY, "without one: within a tenth of it"),
    (MEMORY, Exited(1), 1.0, 89, None, None, "not so near"),
    (MEMORY, Exited(1), 1.0, None, None, None, "no peak is known"),
    (MEMORY, Signalled(6), 1.0, 99, None, Limit.MEMORY, "abort(3): a program's own answer"),
    (MEMORY, Exited(134), 1.0, 99, None, Limit.MEMORY, "abort(3) of a child"),
    (MEMORY, Signalled(11), 1.0, 99, None, Limit.MEMORY, "malloc(3) gave nothing"),
    (MEMORY, KILL, 1.0, 99, None, None, "nothing of the sort kills"),
    (MEMORY, Exited(143), 1.0, 99, None, None, "nor ends"),
    (MEMORY, Exited(0), 1.0, 99, None, None, "it did well"),
    (Settings(), Exited(1), 1.0, 99, None, None, "no limit"),
    (Settings(memory=MIB, success=frozenset({3})), Exited(3), 1.0, 99, None, None, "a success"),
    (Settings(memory=MIB, cpu=5), XCPU, 5.0, None, True, Limit.MEMORY, "the one that is sure"),
    (Settings(memory=MIB, cpu=5), XCPU, 5.0, 99, None, Limit.CPU, "here the other one"),
]


@pytest.mark.parametrize(
    ("settings", "outcome", "cpu_s", "peak", "ran_out", "expected", "reason"),
    ENDINGS,
    ids=[reason for *_, reason in ENDINGS],
)
def test_an_ending_tells_of_a_limit(
    settings: Settings,
    outcome: Outcome,
    cpu_s: float,
    peak: int | None,
    ran_out: bool | None,
    expected: Limit | None,
    reason: str,
) -> None:
    assert isinstance(outcome, Exited | Signalled)
    memory = None if peak is None else peak * MIB
    found = limits.ended_by(settings, outcome, cpu_s=cpu_s, memory_bytes=memory, ran_out=ran_out)
    assert found == expected, reason
