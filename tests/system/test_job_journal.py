"""Lines of jobs in systemd's journal, each under the name of its job."""

from __future__ import annotations

import socket
from contextlib import closing
from threading import Thread
from typing import TYPE_CHECKING

import pytest

from scheduler.errors import MeridianError
from scheduler.system import job_journal
from scheduler.system.job_journal import JobJournal, entry

if TYPE_CHECKING:
    from pathlib import Path

    from scheduler.system.log import Fact

FACTS: dict[str, Fact] = {"job": "backup", "run": 7, "attempt": 2, "text": "well done"}


def read(datagram: bytes) -> dict[str, str]:
    """The fields of an entry, read as journald reads them: a name, and a length before the value."""
    found = {}
    while datagram:
        name, _, rest = datagram.partition(b"\n")
        assert b"=" not in name, "only the form that no value can end is used"
        length = int.from_bytes(rest[:8], "little")
        assert rest[8 + length : 9 + length] == b"\n"
        found[name.decode()] = rest[8 : 8 + length].decode()
        datagram = rest[9 + length :]
    return found


def test_an_entry_has_the_line_the_jobs_name_and_what_finds_it_again() -> None:
    assert read(entry(FACTS)) == {
        "MESSAGE": "well done",
        "PRIORITY": "6",
        "SYSLOG_IDENTIFIER": "backup",
        "CRON_JOB": "backup",
        "CRON_RUN": "7",
        "CRON_ATTEMPT": "2",
    }


@pytest.mark.parametrize(
    ("text", "message", "why"),
    [
        ("", "", "an empty line is one"),
        ("a\nPRIORITY=0\nSYSLOG_IDENTIFIER=sshd", r"a\nPRIORITY=0\nSYSLOG_IDENTIFIER=sshd", "no field of another"),
        ("\x1b[31mred", r"\x1b[31mred", "nothing steers the reader's terminal"),
        ("caf\udce9", r"caf\xe9", "a byte that is no UTF-8"),
        ("größer", "größer", "letters are letters"),
    ],
)  # fmt: skip
def test_what_a_job_writes_is_a_message_and_nothing_else(text: str, message: str, why: str) -> None:
    found = read(entry({**FACTS, "text": text}))
    assert found["MESSAGE"] == message, why
    assert len(found) == 6


@pytest.fixture
def journald(tmp_path: Path) -> socket.socket:
    return listening(tmp_path / "socket")


def listening(path: Path) -> socket.socket:
    sock = socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM)
    sock.bind(str(path))
    sock.settimeout(20)
    return sock


def test_a_line_arrives_as_one_datagram(journald: socket.socket, tmp_path: Path) -> None:
    with journald, closing(JobJournal(tmp_path / "socket")) as journal:
        journal.info("output", **FACTS)
        assert read(journald.recv(4096))["MESSAGE"] == "well done"


def test_a_journal_that_was_restarted_is_waited_for_and_loses_no_line(
    journald: socket.socket, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(job_journal, "_AGAIN", 0.01)
    journal = JobJournal(tmp_path / "socket")
    journald.close()  # nobody listens
    writes = Thread(target=lambda: journal.info("output", **FACTS))
    writes.start()
    (tmp_path / "socket").unlink()  # and nothing is there
    with listening(tmp_path / "socket") as again:
        assert read(again.recv(4096))["MESSAGE"] == "well done"
    writes.join(20)
    assert not writes.is_alive()
    journal.close()


def test_a_machine_without_a_journal_is_told_at_once(tmp_path: Path) -> None:
    with pytest.raises(MeridianError, match="no journal of systemd listens at"):
        JobJournal(tmp_path / "none")
