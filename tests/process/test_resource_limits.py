"""Limits in words: what goes in front of a command, and which limit an ending tells of."""

from __future__ import annotations

import signal
from typing import TYPE_CHECKING

import pytest

from scheduler.entry import Settings
from scheduler.process import resource_limits
from scheduler.run import Exited, Limit, Signalled

if TYPE_CHECKING:
    from scheduler.run import Outcome

MIB = 2**20
KILL, TERM, XCPU = (Signalled(int(n)) for n in (signal.SIGKILL, signal.SIGTERM, signal.SIGXCPU))


def test_an_attempt_without_limits_starts_as_ever() -> None:
    assert not resource_limits.are_set(Settings(timeout=5))
    assert resource_limits.words(Settings(timeout=5)) == ()


@pytest.mark.parametrize("settings", [Settings(memory=1), Settings(cpu=0.1), Settings(nice=0)])
def test_each_limit_is_one(settings: Settings) -> None:
    assert resource_limits.are_set(settings)


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
    assert resource_limits.words(Settings(nice=nice), own_nice=own) == expected, why


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
    assert resource_limits.cpu_seconds(Settings(cpu=cpu, kill_after=kill_after)) == expected, why


def script(settings: Settings, group: bytes | None = None) -> str:
    shell, option, text, *_ = resource_limits.words(settings, group=group)
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
    words = resource_limits.words(Settings(memory=MIB), group=b"/a b/cgroup.procs")
    assert words[3:] == (b"sh", b"/a b/cgroup.procs"), "no path is part of the script"


def test_where_a_shell_would_drop_names_python_takes_its_place() -> None:
    python = (b"/usr/bin/python3", b"limit_exec.py")
    words = resource_limits.words(Settings(cpu=5, memory=MIB, nice=3), python=python)
    assert words == (
        *python,
        b"meridian: begun",
        *(b"cpu", b"5", b"15", b"meridian: not started: CRON_CPU=5s: the daemon itself has less"),
        *(
            b"memory",
            b"1024",
            b"",
            b"meridian: not started: CRON_MEMORY=1M: the daemon itself has less",
        ),
        *(b"--", b"/usr/bin/nice", b"-n", b"3"),
    )
    assert resource_limits.words(Settings(nice=3), python=python)[0] == b"/usr/bin/nice", (
        "no shell, no loss"
    )


@pytest.mark.parametrize(
    ("name", "expected", "why"),
    [
        (b"PATH", False, "a name"),
        (b"_a1", False, "one too"),
        (b"my.password", True, "a dot"),
        (b"my-token", True, "a dash"),
        (b"1st", True, "a digit in front"),
        (b"\xc3\xa9", True, "no ASCII"),
        (b"a\n", True, "a newline"),
        (b"BASH_FUNC_x%%", True, "an exported function"),
        (b"", True, "no name at all"),
    ],
)
def test_a_name_that_no_shell_sets_may_be_dropped(name: bytes, expected: bool, why: str) -> None:
    assert resource_limits.a_shell_drops([b"HOME", name]) == expected, why


BEGUN = b"meridian: begun\n"
REPORTS = [
    # report, outcome, expected, reason
    (BEGUN, Exited(126), None, "it became the job, whatever that ended with"),
    (BEGUN, Signalled(11), None, "or how"),
    (b"sh: no such locale\n" + BEGUN, Exited(0), None, "bash complains, and goes on"),
    (b"meridian: not started: CRON_CPU=5s: no\n", Exited(126), "CRON_CPU=5s: no", "a limit"),
    (b"x\nmeridian: not started: no\n", Exited(126), "no", "behind a complaint"),
    (BEGUN + b"meridian: not started: x: no\n", Exited(126), "x: no", "it could not become the job"),
    (b"meridian: not started: \xff\n", Exited(126), "\ufffd", "bytes that are no text"),
    (b"python: can't open file\n", Exited(2), "what puts its limits on did not start: python: can't open file", "a start that failed by itself"),
    (b"", Signalled(11), "what puts its limits on did not start: it ended with signal 11", "without a word"),
    (b"", Exited(127), "what puts its limits on did not start: it ended with exit 127", "here too"),
    (b"", TERM, None, "ended by hand, before the job began"),
    (b"", KILL, None, "so too"),
]  # fmt: skip


@pytest.mark.parametrize(
    ("report", "outcome", "expected", "why"), REPORTS, ids=[why for *_, why in REPORTS]
)
def test_a_report_tells_whether_it_became_the_job(
    report: bytes, outcome: Exited | Signalled, expected: str | None, why: str
) -> None:
    assert resource_limits.refusal(report, outcome) == expected, why


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
    found = resource_limits.ended_by(
        settings, outcome, cpu_s=cpu_s, memory_bytes=memory, ran_out=ran_out
    )
    assert found == expected, reason
