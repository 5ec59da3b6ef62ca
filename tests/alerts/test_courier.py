"""The real courier, with real senders: each delivery is answered once, whatever becomes of them."""

from __future__ import annotations

import json
import os
import signal
import subprocess
import sys
from dataclasses import dataclass, field
from datetime import UTC, datetime
from threading import Event as Gate
from typing import TYPE_CHECKING

import pytest
from processes import children_reaped
from real_daemon import is_alive, until

from scheduler.alerts.courier import Lane, SenderCourier, Unanswered
from scheduler.alerts.sender_start import SENDER, Senders
from scheduler.codec import decode, encode
from scheduler.errors import MeridianError
from scheduler.notice import Channel, Delivery, Facts, Kind, Notice, Result

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator, Sequence
    from pathlib import Path

    from scheduler.alerts.courier import Answer

SOON = 30.0
LANE = Lane(Channel.COMMAND, False)
SHELL = ("/bin/sh", "-c")


@pytest.fixture(autouse=True)
def no_child_left() -> Iterator[None]:
    """The daemon's reaper is who hears of their end."""
    with children_reaped():
        yield


@dataclass
class Stage:
    """A courier, and what it has said."""

    folder: Path
    program: Sequence[str] = SENDER
    patience: float = SOON
    complaints: list[str] = field(default_factory=list)
    woken: Gate = field(default_factory=Gate)

    def __post_init__(self) -> None:
        environ = {**os.environ, "NOTIFY_SOCKET": "/the/daemon's"}
        self.courier = SenderCourier(
            Senders(self.folder, self.folder, environ, self.program),
            lambda channel, text: self.complaints.append(f"{channel}: {text}"),
            patience=self.patience,
        )
        self.courier.wake_by(self.woken.set)

    def sends(self, *deliveries: Delivery, lane: Lane = LANE) -> list[Answer]:
        self.courier.send(lane, deliveries)
        assert not self.courier.is_free(lane)
        return self.answers(lane)

    def answers(self, lane: Lane = LANE) -> list[Answer]:
        """All answers of a lane, once it is free."""
        found: list[Answer] = []
        while not self.courier.is_free(lane):
            assert self.woken.wait(SOON)
            self.woken.clear()
            found += self.courier.answers()
        return found


def delivery(number: int, target: str) -> Delivery:
    facts = Facts("backup", "cp -a", "crontab", 3, "UTC", run=7)
    notice = Notice(target, Kind.FAILURE, datetime(2027, 3, 1, tzinfo=UTC), facts)
    return Delivery(number, target, (notice,))


def test_a_delivery_is_sent_by_its_channel(tmp_path: Path) -> None:
    stage = Stage(tmp_path)
    (answer,) = stage.sends(delivery(7, f"|cat > {tmp_path}/told; env > {tmp_path}/env"))
    assert answer == Result(7)
    assert '"job": "backup"' in (tmp_path / "told").read_text()
    assert "NOTIFY_SOCKET" not in (tmp_path / "env").read_text()


def test_one_that_fails_keeps_no_other_back(tmp_path: Path) -> None:
    stage = Stage(tmp_path)
    good = f"|cat > {tmp_path}/told"
    found = stage.sends(delivery(1, "|exit 3"), delivery(2, good))
    assert [(each.delivery, bool(getattr(each, "error", ""))) for each in found] == [(1, True), (2, False)]  # fmt: skip


def test_two_lanes_are_two_senders(tmp_path: Path) -> None:
    stage = Stage(tmp_path)
    pipe = tmp_path / "pipe"
    os.mkfifo(pipe)
    other = Lane(Channel.COMMAND, True)
    stage.courier.send(LANE, [delivery(1, f"|read line < {pipe}")])  # it waits for the other
    assert stage.sends(delivery(2, f"|echo go > {pipe}"), lane=other)
    stage.answers()


def lasting(script: str) -> tuple[str, ...]:
    return (*SHELL, script)


@pytest.mark.parametrize(
    ("script", "why", "is_unsure"),
    [
        ("true", "its sender ended without a word", False),
        ("kill -9 $$", "its sender ended without a word", False),
        ("echo {}", "its sender said nonsense, and was killed: it is no result", True),
        ("echo no", "its sender said nonsense, and was killed: ", True),
        ("echo '[]'", "its sender said nonsense, and was killed: it is no result", True),
        ("cat /dev/zero", "its sender said nonsense, and was killed: the line", True),
        ("sleep 1000", "its sender said nothing for 0.5 s, and was killed", True),
    ],
)
def test_whatever_a_sender_does_each_delivery_is_answered(
    tmp_path: Path, script: str, why: str, is_unsure: bool
) -> None:
    stage = Stage(tmp_path, program=lasting(script), patience=0.5)
    found = stage.sends(delivery(1, "|x"), delivery(2, "|y"))
    assert [each.delivery for each in found] == [1, 2]
    words = [each.why for each in found if isinstance(each, Unanswered)]
    assert words[0].startswith(why)
    assert words[1].removeprefix(words[0]) == ", at another alert"
    other = Unanswered(2, words[1], is_unsure, is_tried=False)
    assert found == [Unanswered(1, words[0]), other]


@pytest.mark.parametrize("lane", [LANE, Lane(Channel.PUSH, False)])
def test_who_ends_its_sender_is_the_only_one_that_was_tried(tmp_path: Path, lane: Lane) -> None:
    killer = "|kill -9 $PPID; sleep 9"
    if lane.channel is Channel.PUSH:
        (tmp_path / "alerts").mkdir()
        for name, address in (("team", "|true"), ("killer", killer)):
            file = tmp_path / "alerts" / name
            file.write_text(address)
            file.chmod(0o600)
        killer = "@killer"
    good = "@team" if lane.channel is Channel.PUSH else "|true"
    some = [delivery(number, target) for number, target in enumerate((good, killer, good, killer))]
    first, *found = Stage(tmp_path).sends(*some, lane=lane)
    why = "its sender ended without a word"
    assert first == Result(0)
    assert found == [
        Unanswered(1, why),
        Unanswered(2, f"{why}, at another alert", is_unsure=False, is_tried=False),
        Unanswered(3, why, is_unsure=False),  # it waits with what is older
    ]


def test_of_pings_several_are_under_way(tmp_path: Path) -> None:
    stage = Stage(tmp_path, program=lasting("true"))
    some = [delivery(number, f"ping:http://{number}") for number in (1, 2)]
    found = stage.sends(*some, lane=Lane(Channel.PING, False))
    assert found == [Unanswered(number, "its sender ended without a word") for number in (1, 2)]


def test_an_answer_is_taken_once_and_one_to_nothing_never(tmp_path: Path) -> None:
    lines = "".join(json.dumps(encode(Result(number))) + "\n" for number in (9, 1, 1))
    stage = Stage(tmp_path, program=lasting(f"printf '%s' '{lines}'"))
    assert stage.sends(delivery(1, "|x")) == [Result(1)]


def test_a_program_that_is_not_there_sent_nothing(tmp_path: Path) -> None:
    stage = Stage(tmp_path, program=("/no/such/program",))
    (found,) = stage.sends(delivery(1, "|x"))
    assert isinstance(found, Unanswered)
    assert (found.why, found.is_unsure) == ("no sender could be started: No such file or directory", False)  # fmt: skip


def test_without_room_for_a_thread_nothing_was_sent(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def refuse(_work: object, _name: str) -> None:
        raise MeridianError("the system has no room for a thread")

    monkeypatch.setattr("scheduler.alerts.courier.start_apart", refuse)
    (found,) = Stage(tmp_path).sends(delivery(1, "|x"))
    assert found == Unanswered(1, "the system has no room for a thread", is_unsure=False)


def test_a_lane_that_could_not_be_started_is_free(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    stage = Stage(tmp_path)

    def refuse(_work: object, _name: str) -> None:
        raise MemoryError

    with monkeypatch.context() as full:
        full.setattr("scheduler.alerts.courier.start_apart", refuse)
        with pytest.raises(MemoryError):
            stage.courier.send(LANE, [delivery(1, "|true")])
    assert stage.courier.is_free(LANE)
    assert stage.sends(delivery(2, "|true")) == [Result(2)]


def test_what_a_sender_complains_of_is_told(tmp_path: Path) -> None:
    stage = Stage(tmp_path, program=lasting("echo moan >&2"))
    stage.sends(delivery(1, "|x"))
    assert stage.complaints == ["command: moan\n"]


def test_what_is_abandoned_is_killed_and_not_answered(tmp_path: Path) -> None:
    pids = tmp_path / "pids"
    stage = Stage(tmp_path, program=lasting(f"echo $$ > {pids}.new; mv {pids}.new {pids}; sleep 1000"))  # fmt: skip
    stage.courier.send(LANE, [delivery(1, "|x")])
    while not pids.exists():
        assert not stage.courier.answers()
    stage.courier.abandon()
    assert stage.courier.is_free(LANE)
    assert os.waitpid(int(pids.read_text()), 0)[1] == signal.SIGTERM
    stage.courier.finish(0.1)
    assert stage.courier.answers() == []


def test_a_real_sender_that_is_abandoned_ends_what_it_runs(tmp_path: Path) -> None:
    """It takes signals, though the thread that starts it does not."""
    pids = tmp_path / "pids"
    stage = Stage(tmp_path)
    command = f"|echo $$ > {pids}.new; mv {pids}.new {pids}; exec sleep 1000"
    stage.courier.send(LANE, [delivery(1, command)])
    while not pids.exists():
        assert not stage.courier.answers()
    stage.courier.abandon()
    until(lambda: not is_alive(int(pids.read_text())))


def test_what_is_abandoned_before_its_sender_starts_is_not_sent(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    late: list[Callable[[], object]] = []
    monkeypatch.setattr("scheduler.alerts.courier.start_apart", lambda work, _: late.append(work))
    stage = Stage(tmp_path)
    stage.courier.send(LANE, [delivery(1, f"|touch {tmp_path}/told")])
    stage.courier.abandon()
    (work,) = late
    work()
    assert stage.courier.answers() == []
    assert not (tmp_path / "told").exists()


def test_at_the_end_there_is_a_moment_for_what_is_under_way(tmp_path: Path) -> None:
    stage = Stage(tmp_path)
    stage.courier.send(LANE, [delivery(1, f"|sleep 0.2; cat > {tmp_path}/told")])
    stage.courier.finish(SOON)
    assert stage.courier.answers() == [Result(1)]
    stage.courier.finish(SOON)  # there is nothing to wait for


# --- the sender itself ---------------------------------------------------------------------------


def sender(channel: str, *deliveries: Delivery, folder: Path) -> list[Result]:
    """What a sender answers that is started by hand."""
    lines = "".join(json.dumps(encode(each)) + "\n" for each in deliveries)
    words = (sys.executable, "-m", "scheduler.alerts.sender", channel, str(folder), str(folder))
    done = subprocess.run(words, input=lines, capture_output=True, text=True, timeout=60, check=True)  # fmt: skip
    return [decode(Result, json.loads(line)) for line in done.stdout.splitlines()]


def test_a_channel_that_nobody_knows_is_refused_for_good(tmp_path: Path) -> None:
    (found,) = sender("pigeon", delivery(1, "|x"), folder=tmp_path)
    assert found == Result(1, "this Meridian knows no channel 'pigeon'", permanent=True)


def test_what_a_channel_prints_is_no_answer(tmp_path: Path) -> None:
    talks = (
        "import sys\n"
        "from scheduler.alerts import command, sender\n"
        "from scheduler.notice import Result\n"
        "def send(deliveries, place):\n"
        "    print('hello', flush=True)\n"
        "    yield Result(1)\n"
        "command.send = send\n"
        "sender.main(sys.argv[1:])\n"
    )
    stage = Stage(tmp_path, program=(sys.executable, "-c", talks))
    assert stage.sends(delivery(1, "|x")) == [Result(1)]
    until(lambda: stage.complaints == ["command: hello\n"])


def test_what_a_command_prints_is_no_answer(tmp_path: Path) -> None:
    assert sender("command", delivery(1, "|echo '{}'"), folder=tmp_path) == [Result(1)]
