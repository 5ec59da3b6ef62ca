"""Whoever writes to a sink never waits; what its reader has no room for is dropped and counted."""

from __future__ import annotations

import os
import signal
import socket
import sys
import termios
import threading
from contextlib import ExitStack
from typing import TYPE_CHECKING

import pytest

from scheduler.system.log import open_log
from scheduler.system.log_sink import Sink, take_stderr

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator
    from pathlib import Path

LINE = b"x" * 99 + b"\n"
SOON = 10.0  # seconds in which what must happen has happened
NEVER = 0.05  # seconds in which what must not happen has not

Ends = tuple[int, int]  # where the sink writes to, where its reader reads


def pipe() -> Ends:
    reader, writer = os.pipe()
    return writer, reader


def sockets() -> Ends:
    one, other = socket.socketpair()
    return one.detach(), other.detach()


def terminal() -> Ends:
    master, slave = os.openpty()
    termios.tcflow(slave, termios.TCOOFF)  # as Ctrl-S does
    return slave, master


@pytest.fixture
def opened() -> Iterator[Callable[[Callable[[], Ends]], Ends]]:
    with ExitStack() as stack:

        def new(kind: Callable[[], Ends]) -> Ends:
            ends = kind()
            # A sink's thread outlives its test. Were its end closed, the next test's might get the
            # same number, and what is left of this one be written there.
            stack.callback(os.close, ends[1])
            return ends

        yield new


def fill(descriptor: int) -> int:
    """Write until there is no room; return how many bytes that were."""
    os.set_blocking(descriptor, False)
    size = 0
    try:
        while True:
            size += os.write(descriptor, LINE)
    except BlockingIOError:
        return size
    finally:
        os.set_blocking(descriptor, True)


def read(descriptor: int, size: int) -> bytes:
    found = b""
    while len(found) < size:
        piece = os.read(descriptor, size - len(found))
        assert piece
        found += piece
    return found


def lost(lines: int) -> str:
    return f"{lines} lost\n"


def test_what_is_written_arrives_in_order(opened: Callable[[Callable[[], Ends]], Ends]) -> None:
    writer, reader = opened(pipe)
    sink = Sink(writer)
    lines = [f"{n}\n".encode() for n in range(1000)]
    for line in lines:
        assert sink.write(line) == len(line)
    assert sink.drain(SOON)
    assert read(reader, sum(map(len, lines))) == b"".join(lines)


@pytest.mark.parametrize("kind", [pipe, sockets, terminal])
def test_who_writes_never_waits_and_what_is_dropped_is_counted_where_it_is_missing(
    kind: Callable[[], Ends], opened: Callable[[Callable[[], Ends]], Ends]
) -> None:
    writer, reader = opened(kind)
    before = 0 if kind is terminal else fill(writer)
    sink = Sink(writer, most=10 * len(LINE))
    sink.lost = lost
    for n in range(1000):  # it would hang here
        sink.write(b"%099d\n" % n)
    assert not sink.drain(NEVER)
    assert sink.room() == 0
    if kind is terminal:
        attributes = termios.tcgetattr(writer)
        attributes[1] = 0  # no carriage returns beside newlines
        termios.tcsetattr(writer, termios.TCSANOW, attributes)
        termios.tcflow(writer, termios.TCOON)
    read(reader, before)
    expected = b"".join(b"%099d\n" % n for n in range(10)) + b"990 lost\n"
    assert read(reader, len(expected)) == expected
    assert sink.drain(SOON)
    sink.write(b"again\n")
    assert read(reader, 6) == b"again\n"


def test_it_holds_no_more_than_its_bound(opened: Callable[[Callable[[], Ends]], Ends]) -> None:
    writer, _ = opened(pipe)
    fill(writer)
    sink = Sink(writer, most=1000)
    for _ in range(100_000):
        sink.write(LINE)
    assert sum(map(len, sink._waiting)) <= 1000


def test_its_descriptor_stays_blocking_for_those_who_share_it(
    opened: Callable[[Callable[[], Ends]], Ends],
) -> None:
    writer, _ = opened(pipe)
    fill(writer)
    Sink(writer).write(LINE)
    assert os.get_blocking(writer)


def test_a_descriptor_that_somebody_made_non_blocking_loses_nothing(
    opened: Callable[[Callable[[], Ends]], Ends],
) -> None:
    writer, reader = opened(pipe)
    before = fill(writer)
    os.set_blocking(writer, False)
    sink = Sink(writer)
    sink.write(LINE)
    assert not sink.drain(NEVER)
    assert read(reader, before + len(LINE)).endswith(LINE)


def test_a_reader_that_has_gone_is_no_trouble() -> None:
    writer, reader = pipe()
    os.close(reader)
    sink = Sink(writer)
    for _ in range(100):
        sink.write(LINE)
        assert sink.drain(SOON)
    os.close(writer)


@pytest.mark.parametrize("room", [0, 50], ids=["between two lines", "in the middle of a line"])
def test_a_full_disk_is_tried_again_when_there_is_more_to_say(room: int, tmp_path: Path) -> None:
    """RLIMIT_FSIZE stands for the disk's end: a write up to it is cut, one behind it refused."""
    import resource  # noqa: PLC0415 (here alone)

    path = tmp_path / "log"
    limits = resource.getrlimit(resource.RLIMIT_FSIZE)
    ignored = signal.signal(signal.SIGXFSZ, signal.SIG_IGN)
    with path.open("ab") as file:
        sink = Sink(file.fileno())
        sink.lost = lost
        try:
            resource.setrlimit(resource.RLIMIT_FSIZE, (100 + room, limits[1]))
            for _ in range(3):
                sink.write(LINE)
                assert sink.drain(SOON)
        finally:
            resource.setrlimit(resource.RLIMIT_FSIZE, limits)
            signal.signal(signal.SIGXFSZ, ignored)
        for _ in range(2):
            sink.write(LINE)
            assert sink.drain(SOON)
    cut = b"x" * room + b"\n" * bool(room)
    assert path.read_bytes() == LINE + cut + b"3 lost\n" + LINE


def test_its_thread_takes_no_signal(opened: Callable[[Callable[[], Ends]], Ends]) -> None:
    """The loop's thread blocks some now and then, and must be the one that they wait for."""
    writer, _ = opened(pipe)
    mask = signal.pthread_sigmask(signal.SIG_BLOCK, ())
    before = set(threading.enumerate())
    Sink(writer)
    (thread,) = set(threading.enumerate()) - before
    with open(f"/proc/self/task/{thread.native_id}/status", encoding="ascii") as file:  # noqa: PTH123 (no path of ours)
        (blocked,) = [int(line.split()[1], 16) for line in file if line.startswith("SigBlk")]
    for number in (signal.SIGTERM, signal.SIGINT, signal.SIGCHLD, signal.SIGTTOU):
        assert blocked >> (number - 1) & 1
    assert thread.daemon
    assert signal.pthread_sigmask(signal.SIG_BLOCK, ()) == mask


def test_all_of_standard_error_goes_through_it(
    opened: Callable[[Callable[[], Ends]], Ends], monkeypatch: pytest.MonkeyPatch
) -> None:
    """Warnings, tracebacks and what a library logs must let nobody wait either."""
    writer, reader = opened(pipe)
    monkeypatch.setattr(sys, "stderr", os.fdopen(os.dup(writer), "w", encoding="latin-1"))
    real = sys.stderr
    sink = take_stderr()
    log = open_log("systemd")
    sys.stderr.write("grüße \u20ac\n")
    log.info("started", job="a")
    assert sink.drain(SOON)
    expected = "grüße \\u20ac\n<6>started job=a\n".encode("latin-1")
    assert read(reader, len(expected)) == expected
    assert (sys.stderr.isatty(), sys.stderr.fileno()) == (False, real.fileno())
    real.close()


@pytest.mark.parametrize(
    ("style", "expected"),
    [
        ("human", b"  dropped    1,234 lines of this log while nobody read them"),
        ("systemd", b"<4>dropped lines=1234\n"),
        ("json", b'"level": "warning", "message": "dropped", "lines": 1234}\n'),
    ],
)
def test_each_form_of_the_log_says_how_many_were_dropped(
    style: str, expected: bytes, opened: Callable[[Callable[[], Ends]], Ends],
    monkeypatch: pytest.MonkeyPatch,
) -> None:  # fmt: skip
    writer, reader = opened(pipe)
    monkeypatch.setattr(sys, "stderr", os.fdopen(os.dup(writer), "w"))
    real = sys.stderr
    sink = take_stderr()
    open_log(style)  # type: ignore[arg-type]  # one of its words
    before = fill(writer)
    sink._most = 0
    for _ in range(1234):
        sink.write(LINE)
    read(reader, before)
    assert sink.drain(SOON)
    assert expected in os.read(reader, 1000)
    real.close()
