"""What the daemon may rely on when it waits: one exam for the real clock and its stand-in."""

from __future__ import annotations

import asyncio
import ctypes
import errno
import os
import sys
from datetime import UTC, datetime, timedelta
from pathlib import Path
from types import SimpleNamespace
from typing import TYPE_CHECKING

import pytest
from fakes import FakeClock, utc

from scheduler.system import clock as clocks
from scheduler.system import waiting
from scheduler.system.boot import boot_id
from scheduler.system.clock import Clock, RealClock
from scheduler.system.waiting import WaitingClock

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping

START = utc(2027, 3, 28, 0, 30)
SHORT = timedelta(milliseconds=3)
FAR = timedelta(days=365)
KINDS = ["timer", "steps", "fake"]
only_with_timers = pytest.mark.skipif(sys.platform != "linux", reason="there is no timerfd")


def by_steps() -> WaitingClock:
    """The real clock as it is where the kernel has no timer to offer."""
    clock = WaitingClock()
    clock._timer = None
    return clock


@pytest.fixture(params=KINDS)
def clock(request: pytest.FixtureRequest) -> Clock:
    if request.param == "timer" and sys.platform != "linux":
        pytest.skip("there is no timerfd")
    makers: dict[str, Callable[[], Clock]] = {
        "timer": WaitingClock,
        "steps": by_steps,
        "fake": lambda: FakeClock(START),
    }
    return makers[request.param]()


async def wait_out(clock: Clock, until: datetime, wake: asyncio.Event) -> None:
    """Wait as the daemon does: again, until it is time."""
    while clock.now() < until:
        await clock.wait(until, wake)
        wake.clear()


def test_an_instant_is_aware_and_in_utc(clock: Clock) -> None:
    assert clock.now().tzinfo is UTC


def test_a_machine_that_is_awake_does_not_sleep(clock: Clock) -> None:
    before = clock.asleep()
    assert before is not None
    for _ in range(100):
        asleep = clock.asleep()
        assert asleep is not None
        assert abs(asleep - before) < 0.5


def test_a_system_that_does_not_tell_sleep_from_a_set_clock_says_so(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr(clocks, "_SINCE_BOOT", None)
    assert RealClock().asleep() is None


def test_the_monotonic_clock_never_goes_back(clock: Clock) -> None:
    readings = [clock.monotonic() for _ in range(1000)]
    assert readings == sorted(readings)


def test_waiting_again_and_again_comes_to_the_instant(clock: Clock) -> None:
    before, until = clock.monotonic(), clock.now() + SHORT
    asyncio.run(wait_out(clock, until, asyncio.Event()))
    assert clock.now() >= until
    assert clock.monotonic() > before


def test_one_clock_waits_again_and_again(clock: Clock) -> None:
    async def waits() -> None:
        wake = asyncio.Event()
        for _ in range(3):
            await wait_out(clock, clock.now() + SHORT, wake)

    asyncio.run(waits())


@pytest.mark.parametrize("ago", [timedelta(0), SHORT, timedelta(hours=3), FAR])
def test_an_instant_that_has_passed_is_not_waited_for(clock: Clock, ago: timedelta) -> None:
    until = clock.now() - ago
    asyncio.run(clock.wait(until, asyncio.Event()))
    assert clock.now() >= until


@pytest.mark.parametrize("ahead", [SHORT, timedelta(milliseconds=40), FAR])
def test_who_is_awake_does_not_wait(clock: Clock, ahead: timedelta) -> None:
    async def wait() -> None:
        wake = asyncio.Event()
        wake.set()
        until = clock.now() + ahead
        await clock.wait(until, wake)
        assert ahead == SHORT or clock.now() < until
        assert wake.is_set(), "the note is the loop's to take down"

    asyncio.run(wait())


def test_a_wait_ends_when_it_is_woken(clock: Clock) -> None:
    async def wait() -> None:
        wake = asyncio.Event()
        if isinstance(clock, FakeClock):
            clock.after(1, wake.set)
        else:
            asyncio.get_running_loop().call_later(0.001, wake.set)
        until = clock.now() + FAR
        await clock.wait(until, wake)
        assert wake.is_set()
        assert clock.now() < until

    asyncio.run(wait())


def test_a_wait_lets_others_have_their_turn(clock: Clock) -> None:
    """A loop with too much to do must still hear of signals."""

    async def waits() -> None:
        wake, heard = asyncio.Event(), asyncio.Event()
        asyncio.get_running_loop().call_soon(heard.set)
        while not heard.is_set():
            await clock.wait(clock.now(), wake)
            wake.clear()

    asyncio.run(asyncio.wait_for(waits(), 60))


# --- the real clock's two ways -------------------------------------------------------------------


@only_with_timers
def test_the_machines_timer_is_used_where_there_is_one() -> None:
    assert WaitingClock()._timer is not None


def without(*names: str) -> Callable[..., object]:
    """A C library whose timerfd_create has this to say: nothing, or an error."""
    refusing = SimpleNamespace(timerfd_create=lambda *_: -1, timerfd_settime=lambda *_: -1)
    for name in names:
        delattr(refusing, name)
    return lambda *_, **__: refusing


@pytest.mark.parametrize(
    ("library", "why"),
    [
        (without("timerfd_create", "timerfd_settime"), "a system without the call"),
        (without(), "a kernel that refuses it"),
    ],
)
def test_a_machine_without_a_timer_waits_in_steps(
    library: object, why: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(ctypes, "CDLL", library)
    assert WaitingClock()._timer is None, why


@only_with_timers
def test_a_clock_that_was_set_while_nobody_waited_ends_the_next_wait_at_once() -> None:
    """timerfd_settime(2) then fails with ECANCELED, and the timer is set all the same."""
    clock = WaitingClock()
    assert clock._timer is not None

    def cancelled(*_: object) -> int:
        ctypes.set_errno(errno.ECANCELED)
        return -1

    clock._timer._settime = cancelled  # type: ignore[assignment]  # as ctypes would call it
    asyncio.run(clock.wait(clock.now() + FAR, asyncio.Event()))


@only_with_timers
def test_a_timer_that_cannot_be_set_is_an_error() -> None:
    clock = WaitingClock()
    assert clock._timer is not None
    os.close(clock._timer._fd)
    with pytest.raises(OSError, match="timerfd_settime"):
        asyncio.run(clock.wait(clock.now(), asyncio.Event()))


@only_with_timers
def test_a_clock_that_was_set_ends_the_wait(monkeypatch: pytest.MonkeyPatch) -> None:
    """The kernel makes the descriptor readable, and reading it fails with ECANCELED."""
    clock, wake = WaitingClock(), asyncio.Event()
    assert clock._timer is not None
    monkeypatch.setattr(os, "read", lambda *_: (_ for _ in ()).throw(OSError(125, "canceled")))
    clock._timer._ring(wake)
    assert wake.is_set()


def test_a_long_wait_in_steps_stops_short_of_the_instant(monkeypatch: pytest.MonkeyPatch) -> None:
    """A long timeout wakes late by up to a thousandth of itself, so the last stretch is a short one."""
    timeouts: list[float] = []

    async def wait_for(waiting: object, timeout: float) -> None:  # noqa: ASYNC109 (asyncio's own signature)
        timeouts.append(timeout)
        waiting.close()  # type: ignore[attr-defined]  # a coroutine
        raise TimeoutError

    monkeypatch.setattr(asyncio, "wait_for", wait_for)
    for seconds in (60.0, 1.0, 0.051):
        asyncio.run(waiting._wait_in_steps(seconds, asyncio.Event()))
        assert 0 < timeouts[-1] < seconds * 0.999
    assert timeouts[0] == 10, "a machine that wakes up is looked at soon"


# --- the boot ------------------------------------------------------------------------------------


def test_a_boot_has_one_name() -> None:
    assert boot_id()
    assert boot_id() == boot_id()


def mac(status: int) -> Callable[..., object]:
    """A C library with sysctlbyname(3)."""

    def sysctlbyname(name: bytes, text: ctypes.Array[ctypes.c_char], *_: object) -> int:
        assert name == b"kern.bootsessionuuid"
        text.value = b"5C9A-BOOT"
        return status

    return lambda *_: SimpleNamespace(sysctlbyname=sysctlbyname)


@pytest.mark.parametrize(
    ("library", "expected", "why"),
    [
        (mac(0), "5C9A-BOOT", "a Mac names its boots"),
        (mac(-1), None, "one that would not say"),
        (lambda *_: SimpleNamespace(), None, "neither Linux nor a Mac"),
    ],
)
def test_where_there_is_no_proc_the_system_is_asked(
    library: object, expected: str | None, why: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    def no_proc(*_: object, **__: object) -> str:
        raise FileNotFoundError

    monkeypatch.setattr(Path, "read_text", no_proc)
    monkeypatch.setattr(ctypes, "CDLL", library)
    assert boot_id() == expected, why


def machine(folder: Path, namespace: str, pids: Mapping[str, int]) -> Path:
    """A /proc in which these processes, by their names, started at these ticks."""
    (folder / "sys/kernel/random").mkdir(parents=True)
    (folder / "sys/kernel/random/boot_id").write_text("5c9a\n")
    for name, start in pids.items():
        (folder / name / "ns").mkdir(parents=True)
        (folder / name / "ns/pid").symlink_to(namespace)
        (folder / name / "stat").write_text(f"1 (a) (b) S {'0 ' * 18}{start} 0 0\n")
    return folder


HOST, CONTAINER = "pid:[4026531836]", "pid:[4026532777]"


@pytest.mark.parametrize(
    ("namespace", "own", "pids", "expected", "why"),
    [
        (HOST, 77, {"self": 500, "1": 3}, "5c9a", "the machine's own first process began with it"),
        (HOST, 1, {"self": 3, "1": 3}, "5c9a", "even if Meridian is that process"),
        (CONTAINER, 77, {"self": 900, "1": 800}, "5c9a+800", "the container began with its init"),
        (CONTAINER, 1, {"self": 800, "1": 800}, "5c9a+800", "or with Meridian as such"),
        (CONTAINER, 1, {"self": 800, "1": 3}, "5c9a+800", "/proc is the machine's: its first is not ours"),
        (CONTAINER, 77, {"self": 900}, "5c9a", "mounted with hidepid=2: nobody is told of process 1"),
    ],
)  # fmt: skip
def test_a_containers_boot_is_the_start_of_its_first_process(
    namespace: str, own: int, pids: dict[str, int], expected: str, why: str,
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch,
) -> None:  # fmt: skip
    monkeypatch.setattr(os, "getpid", lambda: own)
    assert boot_id(machine(tmp_path, namespace, pids)) == expected, why


# --- the stand-in alone --------------------------------------------------------------------------


def test_what_is_scripted_happens_at_its_time_in_order_and_ends_the_wait() -> None:
    clock = FakeClock(START)
    seen: list[tuple[str, datetime]] = []

    def see(name: str) -> Callable[[], None]:
        return lambda: seen.append((name, clock.now()))

    for name, seconds in (("late", 20), ("early", 10), ("also late", 20)):
        clock.at(START + timedelta(seconds=seconds), see(name))
    clock.after(15, see("between"))
    asyncio.run(wait_out(clock, START + timedelta(minutes=1), asyncio.Event()))
    assert [(name, (at - START).seconds) for name, at in seen] == [
        ("early", 10), ("between", 15), ("late", 20), ("also late", 20),
    ]  # fmt: skip
    assert clock.monotonic() == 60


def test_a_clock_that_is_set_moves_the_wall_and_not_the_seconds() -> None:
    clock = FakeClock(START)
    clock.after(10, lambda: clock.set(START - timedelta(hours=1)))
    asyncio.run(clock.wait(START + timedelta(minutes=1), asyncio.Event()))
    assert (clock.now(), clock.monotonic()) == (START - timedelta(hours=1), 10)


def test_time_that_work_takes_passes_on_both_clocks() -> None:
    clock = FakeClock(START)
    seen: list[datetime] = []
    clock.at(START + timedelta(seconds=5), lambda: seen.append(clock.now()))
    clock.advance(8)
    assert (clock.now(), clock.monotonic(), seen) == (START + timedelta(seconds=8), 8, [])
    asyncio.run(clock.wait(START + timedelta(minutes=1), asyncio.Event()))
    assert seen == [START + timedelta(seconds=8)], "late, as a signal during work is"


def test_a_test_that_nothing_ends_fails() -> None:
    clock = FakeClock(START, limit=timedelta(days=1))
    with pytest.raises(AssertionError, match="nothing ended this test"):
        asyncio.run(clock.wait(START + timedelta(days=2), asyncio.Event()))


def test_a_loop_that_spins_fails() -> None:
    async def spin() -> None:
        clock = FakeClock(START)
        while True:
            await clock.wait(START, asyncio.Event())

    with pytest.raises(AssertionError, match="1000 waits"):
        asyncio.run(spin())
