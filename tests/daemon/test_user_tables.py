"""At the socket a user has the table of their own name, and nobody else's."""

from __future__ import annotations

import asyncio
import io
import threading
from dataclasses import replace
from typing import TYPE_CHECKING

import pytest
from control_ends import until
from tables import ALICE, BOB, FORMER, GONE, ME, NAMELESS, account, machine, of_tables

from scheduler.crontab.spool_header import without_header
from scheduler.daemon.user_tables import MOST_BYTES_OF_A_USER
from scheduler.errors import MeridianError
from scheduler.peer import Peer
from scheduler.protocol import RemoveTable, SaveTable, Table, TableChanged, TableReply, TableRequest
from scheduler.status import Status
from scheduler.system.crontab_spool import fingerprint
from scheduler.wire import Refused

if TYPE_CHECKING:
    from collections.abc import Coroutine
    from pathlib import Path

    from scheduler.protocol import Reply, Request
    from scheduler.system.accounts import Account

ONE, TWO = SaveTable("0 1 * * * a\n"), SaveTable("0 2 * * * b\udcff\n")


def shown(reply: Reply) -> bytes:
    assert isinstance(reply, TableReply)
    return without_header(reply.text.encode(errors="surrogateescape"))


def code(reply: Reply) -> str:
    return reply.code if isinstance(reply, Refused) else "done"


def test_a_table_is_saved_shown_replaced_and_removed(tmp_path: Path) -> None:
    first, one, again, two, gone, after = of_tables(
        tmp_path, ONE, Table(), TWO, Table(), RemoveTable(), Table()
    )
    assert first == again == gone == TableChanged("alice")
    assert shown(one) == b"0 1 * * * a\n"
    assert shown(two) == b"0 2 * * * b\xff\n"
    assert after == Refused("no-table", "no crontab for alice")


def test_nobody_sees_or_changes_the_table_of_another(tmp_path: Path) -> None:
    of_tables(tmp_path, ONE, peer=ALICE)
    seen, removed, saved = of_tables(tmp_path, Table(), RemoveTable(), TWO, peer=BOB)
    assert [code(seen), code(removed)] == ["no-table", "no-table"]
    assert saved == TableChanged("bob")
    assert shown(of_tables(tmp_path, Table(), peer=ALICE)[0]) == b"0 1 * * * a\n"


@pytest.mark.parametrize("request_", [Table(), ONE, RemoveTable()])
@pytest.mark.parametrize(
    ("peer", "why"),
    [
        pytest.param(NAMELESS, "no-account", id="a number that no user has"),
        pytest.param(GONE, "no-account", id="a user who was removed meanwhile"),
        pytest.param(FORMER, "no-account", id="one whose name has become another's"),
        pytest.param(BOB, "not-allowed", id="one whom cron.allow does not list"),
    ],
)
def test_who_may_have_no_table_is_told_so_whatever_they_ask(
    tmp_path: Path, request_: TableRequest, peer: Peer, why: str
) -> None:
    (tmp_path / "etc").mkdir()
    (tmp_path / "etc" / "cron.allow").write_text("alice\n")
    assert [code(each) for each in of_tables(tmp_path, request_, peer=peer)] == [why]
    assert not (tmp_path / "spool").exists()


def test_the_refusal_of_cron_allow_is_the_one_that_scripts_know(tmp_path: Path) -> None:
    (tmp_path / "etc").mkdir()
    (tmp_path / "etc" / "cron.deny").write_text("bob\n")
    (reply,) = of_tables(tmp_path, Table(), peer=BOB)
    assert isinstance(reply, Refused)
    assert reply.message == (
        "You (bob) are not allowed to use this program (crontab): by /etc/cron.deny"
    )


def test_a_table_that_was_changed_meanwhile_is_not_overwritten(tmp_path: Path) -> None:
    of_tables(tmp_path, ONE)
    base = fingerprint((tmp_path / "spool" / "alice").read_bytes())
    late = SaveTable("# late\n", base)
    assert [code(each) for each in of_tables(tmp_path, TWO, late)] == ["done", "table"]
    assert shown(of_tables(tmp_path, Table())[0]) == b"0 2 * * * b\xff\n"


def test_a_table_that_cannot_be_trusted_is_not_shown(tmp_path: Path) -> None:
    of_tables(tmp_path, ONE)
    (tmp_path / "spool" / "alice").unlink()
    (tmp_path / "spool" / "alice").symlink_to("/etc/passwd")
    (reply,) = of_tables(tmp_path, Table())
    assert isinstance(reply, Refused)
    assert "it is a link" in reply.message


def test_a_table_that_only_root_can_have_made_so_large_is_not_sent(tmp_path: Path) -> None:
    of_tables(tmp_path, ONE)
    with (tmp_path / "spool" / "alice").open("r+b") as file:
        file.truncate(MOST_BYTES_OF_A_USER + 1)
    (reply,) = of_tables(tmp_path, Table())
    assert isinstance(reply, Refused)
    assert reply.message.endswith("it is larger than 1 MiB; ask root for it")


def test_work_that_fails_is_counted_down_once(tmp_path: Path) -> None:
    def find(_name: str) -> Account | None:
        raise MeridianError("no")

    tables = replace(machine(tmp_path), find=find)

    async def ask() -> None:
        assert code(await tables.ask(Table(), ALICE)) == "table"
        await asyncio.sleep(0)

    asyncio.run(ask())
    assert tables._begun[ALICE.uid] == 0


def test_a_change_stands_in_the_log_with_whose_it_is(tmp_path: Path) -> None:
    log = io.StringIO()
    tables = machine(tmp_path, log)
    for each in (ONE, Table(), RemoveTable()):
        asyncio.run(reply_of(tables.ask(each, ALICE)))
    lines = [line for line in log.getvalue().splitlines() if "crontab" in line]
    assert ["alice has replaced" in lines[0], "alice has removed" in lines[1]] == [True, True]
    assert len(lines) == 2


async def reply_of(asked: Coroutine[object, object, Reply]) -> Reply:
    return await asked


def test_a_directory_of_users_that_hangs_does_not_hang_the_loop(tmp_path: Path) -> None:
    goes_on = threading.Event()

    def slow(name: str) -> Account | None:
        assert goes_on.wait(60)
        return account(name)

    async def other(request: Request, peer: Peer) -> Reply:
        assert peer == BOB
        goes_on.set()
        return {"did": type(request).__name__}

    async def scene() -> tuple[Reply, Reply]:
        ask = replace(machine(tmp_path), find=slow).before(other)
        first = asyncio.ensure_future(ask(ONE, ALICE))
        return await ask(Status(), BOB), await first

    assert asyncio.run(scene()) == ({"did": "Status"}, TableChanged("alice"))


def test_a_machine_without_room_for_a_thread_says_so_and_counts_none(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def full(self: threading.Thread) -> None:
        raise RuntimeError("can't start new thread", self)

    with monkeypatch.context() as context:
        context.setattr(threading.Thread, "start", full)
        replies = of_tables(tmp_path, *(Table() for _ in range(9)))
    assert {code(each) for each in replies} == {"table"}


def test_a_user_for_whom_nothing_goes_on_has_three_threads_and_others_are_answered(
    tmp_path: Path,
) -> None:
    goes_on = threading.Event()

    def slow(name: str) -> Account | None:
        assert name != "alice" or goes_on.wait(60)
        return account(name)

    async def scene() -> None:
        tables = replace(machine(tmp_path), find=slow)
        waiting = [asyncio.ensure_future(tables.ask(Table(), ALICE)) for _ in range(3)]
        await asyncio.sleep(0)
        waiting[0].cancel()  # who asked has gone; what it began has not
        other = Peer(ME + 1, "bob")
        assert code(await tables.ask(Table(), ALICE)) == "waiting"
        assert code(await tables.ask(Table(), other)) == "no-account"
        goes_on.set()
        assert [code(each) for each in await asyncio.gather(*waiting[1:])] == ["no-table"] * 2
        await until(lambda: not tables._begun[ALICE.uid])
        assert await tables.ask(ONE, ALICE) == TableChanged("alice")

    asyncio.run(scene())
