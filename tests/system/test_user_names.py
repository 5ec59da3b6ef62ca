"""What a user is called: the name is theirs alone, and nobody waits for a slow directory."""

from __future__ import annotations

import asyncio
import pwd
import threading
from typing import Any

import pytest
from control_ends import until

from scheduler.system import user_names
from scheduler.system.user_names import UserNames, of_uid


def directory(*users: tuple[str, int]) -> Any:
    """getpwuid and getpwnam of a machine with these users, the first of a kind is found."""

    class Directory:
        @staticmethod
        def getpwuid(uid: int) -> pwd.struct_passwd:
            return next((_entry(*user) for user in users if user[1] == uid), None) or _none()

        @staticmethod
        def getpwnam(name: str) -> pwd.struct_passwd:
            return next((_entry(*user) for user in users if user[0] == name), None) or _none()

    return Directory


def _entry(name: str, uid: int) -> pwd.struct_passwd:
    return pwd.struct_passwd((name, "x", uid, uid, "", "/", "/bin/sh"))


def _none() -> pwd.struct_passwd:
    raise KeyError


@pytest.mark.parametrize(
    ("users", "uid", "name", "why"),
    [
        ([("alice", 1001)], 1001, "alice", "who it is"),
        ([("alice", 1001)], 1002, None, "nobody knows this number"),
        ([("alice", 1001), ("alice", 5001)], 5001, None, "the name is that of another user's jobs"),
        ([("alice", 1001), ("al", 1001)], 1001, "alice", "the first of two names"),
    ],
)
def test_a_name_is_of_one_user(
    monkeypatch: pytest.MonkeyPatch,
    users: list[tuple[str, int]],
    uid: int,
    name: str | None,
    why: str,
) -> None:
    monkeypatch.setattr(user_names, "pwd", directory(*users))
    assert of_uid(uid) == name, why


def test_the_loop_goes_on_while_a_name_is_looked_up_once(monkeypatch: pytest.MonkeyPatch) -> None:
    looks: list[int] = []
    may_answer = threading.Event()

    def slow(uid: int) -> str:
        looks.append(uid)
        assert may_answer.wait(60)
        return f"user{uid}"

    monkeypatch.setattr(user_names, "of_uid", slow)

    async def scene() -> None:
        names = UserNames()
        asked = [asyncio.create_task(names.of(uid)) for uid in (7, 7, 8)]
        await until(lambda: len(looks) == 2)
        may_answer.set()
        assert await asyncio.gather(*asked) == ["user7", "user7", "user8"]
        assert sorted(looks) == [7, 8]
        assert await names.of(7) == "user7"
        assert len(looks) == 2, "a name is known for a while"

    asyncio.run(scene())


def test_a_name_that_nobody_says_in_time_is_none(monkeypatch: pytest.MonkeyPatch) -> None:
    may_answer = threading.Event()
    monkeypatch.setattr(user_names, "NAME_WITHIN", 0.01)
    monkeypatch.setattr(user_names, "of_uid", lambda _: may_answer.wait(60) and "late")

    async def scene() -> None:
        names = UserNames()
        assert await names.of(7) is None
        may_answer.set()

    asyncio.run(scene())
