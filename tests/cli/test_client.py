"""A daemon that can't be reached: what is said of it."""

from __future__ import annotations

import fcntl
import os
from typing import TYPE_CHECKING

import pytest

if TYPE_CHECKING:
    from collections.abc import Iterator

    from conftest import Person


@pytest.fixture
def held(person: Person) -> Iterator[int]:
    """The state folder is held by a living process, as by a daemon."""
    person.state.mkdir()
    lock = person.state / "lock"
    lock.write_text(f"{os.getpid()}\n")
    with lock.open() as file:
        fcntl.flock(file, fcntl.LOCK_EX)
        yield os.getpid()


def test_a_daemon_without_a_socket_is_told_from_none(person: Person, held: int) -> None:
    result = person.types("reload")
    assert result.exit_code == 1
    lives = f"a daemon (pid {held}) has the state folder {person.state}, but has no control socket"
    why = "its log says why, and it tries again before each minute"
    assert result.stderr == f"{lives}: {why}\n"
    assert person.types("reload", "--state", str(person.state)).stderr == result.stderr


@pytest.mark.parametrize(
    ("text", "why"),
    [
        ("", "it has just begun"),
        ("daemon", "no number"),
        (f"{2**31 - 1}\n", "that process is dead"),
        ("9" * 19, "no process has such a number"),
        (f"{os.getpid()}\n", "a process of that number lives, and holds nothing"),
    ],
)
def test_a_lock_that_a_dead_daemon_left_says_nothing(person: Person, text: str, why: str) -> None:
    person.state.mkdir()
    (person.state / "lock").write_text(text)
    assert person.types("reload").stderr == f"{person.nobody}\n", why
