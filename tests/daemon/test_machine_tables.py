"""Which crontabs a system daemon reads now: as they come, go, and are another daemon's."""

from __future__ import annotations

from contextlib import closing
from datetime import UTC, datetime
from functools import partial
from threading import Event
from typing import TYPE_CHECKING

import pytest
from made_machine import MadeMachine, another_locks
from users import OWNER, new_folder

from scheduler.system import accounts, known_users
from scheduler.system.accounts import Account

if TYPE_CHECKING:
    from collections.abc import Iterator

    from scheduler.daemon.watched_crontabs import WatchedCrontabs

pytestmark = pytest.mark.privileged  # tables of root and of users


@pytest.fixture
def users(monkeypatch: pytest.MonkeyPatch) -> dict[str, int]:
    known = {"root": 0, "alice": OWNER}
    monkeypatch.setattr(accounts, "uid_of", known.get)
    monkeypatch.setattr(accounts, "find", partial(account, known))
    monkeypatch.setattr(known_users, "NEW_FOR", 0)  # as if each look were a minute later
    return known


def account(known: dict[str, int], name: str) -> Account | None:
    uid = known.get(name)
    return None if uid is None else Account(name, uid, uid, (uid,), "/")


@pytest.fixture
def machine(users: dict[str, int]) -> Iterator[MadeMachine]:
    assert users
    with new_folder(0) as root:
        made = MadeMachine(root)
        made.writes("etc/meridian/crontabs/own", "0 1 * * * root own\n")
        made.writes("etc/crontab", "0 2 * * * root main\n")
        made.writes("etc/cron.d/php", "0 3 * * * alice php\n")
        made.writes("etc/anacrontab", "1 5 daily anacron\n")
        made.user_writes("alice", "0 4 * * * alices\n", owner=OWNER)
        yield made


@pytest.fixture
def crontabs(machine: MadeMachine) -> Iterator[WatchedCrontabs]:
    with closing(machine.crontabs()) as found:
        yield found


def read(crontabs: WatchedCrontabs) -> list[tuple[str, str | None]]:
    return [(each.command, each.user) for each in crontabs.load().entries]


def codes(crontabs: WatchedCrontabs) -> list[str]:
    return [each.code for each in crontabs.load().problems]


ALL = [
    ("own", "root"),
    ("main", "root"),
    ("php", "alice"),
    ("anacron", "root"),
    ("alices", "alice"),
]
OWN = ALL[:1]


def test_every_crontab_is_read_in_its_form(crontabs: WatchedCrontabs) -> None:
    assert read(crontabs) == ALL
    assert (crontabs.reads().is_system, crontabs.reads().without_cron) == (True, None)


def test_jobs_of_cron_are_not_retried_and_those_of_root_are(crontabs: WatchedCrontabs) -> None:
    retries = [each.settings.retry.retries for each in crontabs.load().entries]
    assert retries == [3, 0, 0, 0, 0]


def test_while_cron_runs_its_tables_are_left_to_it(
    machine: MadeMachine, crontabs: WatchedCrontabs
) -> None:
    with another_locks(machine.root / "run/crond.pid"):
        before = crontabs.stamps()
        assert read(crontabs) == OWN  # our own are read all the same
        (problem,) = (each for each in crontabs.load().problems if each.code == "cron-runs")
        assert "cron's tables are not read" in problem.message
        assert "a cron daemon" in (crontabs.reads().without_cron or "")
        assert crontabs.stamps() == before
    assert crontabs.stamps() != before  # it is tried before each minute
    assert read(crontabs) == ALL


def test_tables_that_a_cron_takes_are_let_go_of_at_once(
    machine: MadeMachine, crontabs: WatchedCrontabs
) -> None:
    """A file that vanished would be kept for one more minute, in which both ran it."""
    before = crontabs.stamps()
    assert read(crontabs) == ALL
    (machine.root / "run/crond.pid").unlink()  # so another can lock one of that name
    with another_locks(machine.root / "run/crond.pid"):
        now = crontabs.stamps()
        assert before.keys() <= now.keys() | {"anacron"}
        assert now != before
        assert read(crontabs) == OWN


@pytest.mark.parametrize("is_cronie", [False, True], ids=["Debian's cron", "cronie"])
def test_what_cron_had_is_not_run_again(
    machine: MadeMachine, crontabs: WatchedCrontabs, *, is_cronie: bool
) -> None:
    with another_locks(machine.root / "run/crond.pid"):
        assert not crontabs.load().taken.files
        now = datetime.now(UTC)
    if is_cronie:
        (machine.root / "run/crond.pid").unlink()
    taken = crontabs.load().taken
    assert taken.until is not None
    assert taken.until >= now
    assert {machine.short(file) for file in taken.files} == {
        "etc/crontab",
        "etc/cron.d/php",
        "etc/anacrontab",
        "var/spool/cron/crontabs/alice",
    }


def test_a_user_whom_nobody_tells_of_keeps_no_other_table_from_being_read(
    crontabs: WatchedCrontabs, monkeypatch: pytest.MonkeyPatch, users: dict[str, int]
) -> None:
    goes_on = Event()

    def hangs(name: str) -> Account | None:
        if name == "alice":
            assert goes_on.wait(60)
        return account(users, name)

    monkeypatch.setattr(accounts, "find", hangs)
    try:
        before = crontabs.stamps()
        loaded = crontabs.load()
        assert [(each.command, each.user) for each in loaded.entries] == ALL[:4]
        (problem,) = (each for each in loaded.problems if each.code == "unreadable")
        assert problem.message.endswith("the system does not tell now who 'alice' is")
    finally:
        goes_on.set()
    crontabs.load()  # by now it has told
    assert crontabs.stamps() != before
    assert read(crontabs) == ALL


def test_who_is_to_know_them_hears_of_users_before_jobs_of_theirs_start(
    machine: MadeMachine, users: dict[str, int]
) -> None:
    assert users
    with closing(machine.crontabs()) as crontabs:
        heard: list[set[str]] = []
        assert crontabs.machine is not None
        crontabs.machine.know = lambda names: heard.append(set(names))
        crontabs.load()
        assert heard[-1] == {"root", "alice"}
        crontabs.stamps()
        assert heard[-1] == {"root", "alice"}
        assert len(heard) == 2


def test_a_new_table_is_a_change(machine: MadeMachine, crontabs: WatchedCrontabs) -> None:
    before = crontabs.stamps()
    assert crontabs.stamps() == before
    machine.user_writes("root", "0 5 * * * roots\n")
    with_roots = crontabs.stamps()
    assert with_roots != before
    machine.writes("etc/cron.d/new", "0 6 * * * root new\n")
    assert crontabs.stamps() != with_roots
    assert {("roots", "root"), ("new", "root")} <= set(read(crontabs))


def test_the_table_of_a_user_who_comes_is_read_then(
    machine: MadeMachine, crontabs: WatchedCrontabs, users: dict[str, int]
) -> None:
    machine.user_writes("bob", "0 5 * * * bobs\n", owner=OWNER + 7)
    assert read(crontabs) == ALL
    assert "no-user" in codes(crontabs)
    before = crontabs.stamps()
    users["bob"] = OWNER + 7
    assert crontabs.stamps() != before
    assert read(crontabs) == [*ALL, ("bobs", "bob")]


def test_an_entry_of_nobody_is_kept_with_a_warning(
    machine: MadeMachine, crontabs: WatchedCrontabs
) -> None:
    machine.writes("etc/cron.d/gone", "0 5 * * * gone x\n")
    assert ("x", "gone") in read(crontabs)
    (problem,) = (each for each in crontabs.load().problems if each.code == "no-user")
    assert (problem.line, problem.column, problem.severity) == (1, 11, "warning")


def test_a_job_that_anacron_runs_now_is_left_to_it(
    machine: MadeMachine, crontabs: WatchedCrontabs
) -> None:
    with another_locks(machine.root / "var/spool/anacron/daily"):
        assert ("anacron", "root") not in read(crontabs)
        assert "anacron-runs" in codes(crontabs)
        before = crontabs.stamps()
    assert crontabs.stamps() != before
    assert read(crontabs) == ALL


def test_a_bad_table_takes_no_other_one_down(
    machine: MadeMachine, crontabs: WatchedCrontabs
) -> None:
    machine.user_writes("mallory", "0 5 * * * x\n", owner=OWNER)
    (machine.root / "etc/cron.d/php").chmod(0o666)
    assert read(crontabs) == [each for each in ALL if each[0] != "php"]
    assert len(crontabs.load().failed) == 2


def test_at_the_end_cron_may_have_its_tables(machine: MadeMachine) -> None:
    with closing(machine.crontabs()) as crontabs:
        assert read(crontabs) == ALL
    with another_locks(machine.root / "run/crond.pid"):
        pass  # it would wait for ever
