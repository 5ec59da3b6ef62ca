"""Whatever a damaged row holds, it is read as something that may be there, or it is called damage.

Every column of every table is given every value of a list, and everything is read.
"""

from __future__ import annotations

import re
import sqlite3
from contextlib import closing, suppress
from datetime import UTC, datetime, timedelta
from typing import TYPE_CHECKING, Any

import pytest

from scheduler.cli import json_rows
from scheduler.errors import JournalDamaged, JournalError
from scheduler.journal import integrity, migrations
from scheduler.journal.connection import Connection
from scheduler.journal.journal import Journal
from scheduler.journal.rows import NoticeState
from scheduler.notice import Facts, Kind, Notice, Recipient
from scheduler.pause import Paused
from scheduler.run import Attempt, Ending, Exited, Limit, Reason, Run, State
from scheduler.schedule.backlog import Backlog
from scheduler.schedule.tick import Era, Jump, JumpKind, Verdict

if TYPE_CHECKING:
    from collections.abc import Iterator

NOON = datetime(2027, 3, 1, 12, tzinfo=UTC)
MINUTE = timedelta(minutes=1)

VALUES: tuple[Any, ...] = (
    *(None, "", "word", "\0", "../../etc", b"", b"\xff", 0, 1, 2, -1, 0.5, -0.5, 1e300),
    *(2**31, 2**53, 2**63 - 1, -(2**63), float("inf"), 253402300799, -62135596800),
)
# What stands for no value of Python's: a text that is none.
UNDECODABLE = "CAST(x'ff41' AS TEXT)"


def loose() -> dict[int, str]:
    """The migrations, without what keeps a column from holding nothing."""
    return {n: re.sub("(?<!IS )NOT NULL", "", script) for n, script in migrations.scripts().items()}


@pytest.fixture
def journal() -> Iterator[Journal]:
    connection = sqlite3.connect(":memory:", isolation_level=None)
    loosened = Connection(connection, "the journal")
    migrations.bring_up_to_date(loosened, loose())
    with closing(Journal(loosened)) as journal:
        remember(journal)
        connection.execute("PRAGMA ignore_check_constraints = ON")
        connection.execute("PRAGMA foreign_keys = OFF")
        yield journal


def remember(journal: Journal) -> None:
    """Put something into every table."""
    for job, n in (("over", 0), ("over", 1), ("waits", 2), ("runs", 3)):
        begin(journal, job, NOON + n * MINUTE)
    journal.skip("paused", NOON, "UTC", Reason.PAUSED, until=NOON + MINUTE)
    journal.daemon_state.set_last_tick(NOON)
    journal.daemon_state.set_anchor("every", 90, NOON)
    journal.daemon_state.set_booted("boot", "this boot")
    journal.old_runs.set_reckoning(NOON)
    journal.daemon_state.pause(Paused("paused", NOON, NOON + MINUTE, "holiday"))
    journal.daemon_state.set_backlog(
        Backlog("late", "* * * * *", "UTC", NOON, NOON + MINUTE, 2, NOON, NOON)
    )
    journal.daemon_state.jump(Jump(JumpKind.BACK, NOON, NOON, -60, Verdict.ACCOUNTED))
    journal.daemon_state.begin_era(Era(1, NOON - MINUTE, NOON, NOON))
    for number in range(1, 4):
        target = f"|tell {number}"
        journal.outbox.add(Notice(target, Kind.FAILURE, NOON, Facts("over", "", "", 1, "UTC")))
        journal.outbox.take(Recipient(target))
    (sent,), (waits,) = (journal.outbox.of_delivery(number) for number in (1, 2))
    journal.outbox.end([sent], NoticeState.SENT, NOON)
    journal.outbox.wait(waits, NOON, "refused", delivery=2, tried=True, unsure=True)
    journal.outbox.set_state("over", "announced")
    journal.connection._sqlite.execute("INSERT INTO old_name (job) VALUES ('echo-a-0a1b2c')")


def begin(journal: Journal, job: str, instant: datetime) -> None:
    run = journal.claim(job, instant, "UTC")
    assert run is not None
    attempt = journal.claim_attempt(run, 1, f"outputs/{job}/{run.number}.1.log")
    assert attempt is not None
    journal.started(attempt, instant, 4711, 12)
    if job == "runs":
        return
    outcome = Exited(int(job == "waits"))
    journal.ended(attempt, Ending(outcome, instant, 0.5, 1 << 20, Limit.CPU, 1.5, emptied=True))
    journal.left_behind(attempt, 2)
    if job == "waits":
        journal.retry(run, NOON + 5 * MINUTE)
    else:
        journal.finish(run, State.SUCCEEDED)


def columns() -> list[tuple[str, str]]:
    with closing(Journal.in_memory()) as journal:
        names = [
            name
            for (name,) in journal.connection._sqlite.execute(
                "SELECT name FROM sqlite_schema WHERE type = 'table'"
            ).fetchall()
        ]
        return [
            (table, column)
            for table in names
            for (_, column, *_) in journal.connection._sqlite.execute(f"PRAGMA table_info({table})")
        ]


def read_all(journal: Journal) -> None:
    """Read all that can be read, and write runs as programs get them."""
    later, run = NOON + timedelta(days=1), Run(1, "over", NOON)
    for row in journal.queries.history():
        json_rows.of_run(row)
    for job in ("over", "waits", "runs", "paused", "boot", "every", "late"):
        journal.queries.history(job)
        journal.queries.latest(job, later)
        journal.glance.failing_since(job, later)
        journal.queries.failed_since_success(job)
        journal.queries.open_of(job)
        journal.queries.at(job, NOON)
        journal.old_runs.nth_newest(job, 1)
        journal.old_runs.eras_of(job)
        journal.old_runs.newest(job, later)
        journal.old_runs.before(job, later, limit=10)
        journal.daemon_state.last_instant(job)
        journal.daemon_state.backlog(job)
        journal.taken(job, NOON, later)
    journal.daemon_state.anchor("every", 90)
    journal.daemon_state.booted("boot", "this boot")
    journal.old_runs.next_job("")
    journal.old_runs.knows(run.number, 1, "outputs/over/1.1.log")
    journal.queries.run(1)
    journal.outbox.notices()
    journal.outbox.due()
    journal.outbox.state_of("over")
    for read in (
        *(journal.outbox.sending, journal.outbox.jobs, journal.glance.retried_alerts),
        *(
            journal.queries.jobs,
            journal.queries.jumps,
            journal.queries.emptiers,
            journal.glance.retrying,
            journal.queries.is_unused,
        ),
        *(
            journal.old_runs.reckoning,
            journal.unfinished,
            journal.daemon_state.last_tick,
            journal.daemon_state.eras,
        ),
        *(
            journal.daemon_state.pauses,
            journal.daemon_state.backlogs,
            journal.daemon_state.old_names,
        ),
    ):
        read()
    journal.glance.failing(later)
    journal.queries.jumps_over(NOON)
    journal.daemon_state.first_to_come(NOON - timedelta(hours=1))


def is_read(journal: Journal) -> bool:
    try:
        read_all(journal)
    except JournalDamaged as damage:
        assert "moves it aside" in str(damage)  # noqa: PT017 (either is right)
        return False
    return True


def test_what_was_written_is_no_damage(journal: Journal) -> None:
    read_all(journal)
    assert journal.release_attempt(Attempt(Run(1, "over", NOON), 1)) is False


@pytest.mark.parametrize(("table", "column"), columns())
def test_a_value_is_one_that_may_be_there_or_it_is_damage(
    journal: Journal, table: str, column: str
) -> None:
    told = set()
    for value in (*VALUES, UNDECODABLE):
        marker, values = ("?", (value,)) if value != UNDECODABLE else (UNDECODABLE, ())
        statement = f"UPDATE OR IGNORE {table} SET {column} = {marker}"
        journal.connection._sqlite.execute("SAVEPOINT one")
        with suppress(sqlite3.IntegrityError):  # the number of a row is one, whatever is damaged
            journal.connection._sqlite.execute(statement, values)
        told.add(is_read(journal))
        journal.connection._sqlite.execute("ROLLBACK TO one")
        journal.connection._sqlite.execute("RELEASE one")
    assert False in told or (table, column) in HARMLESS


# What nobody reads as a value: SQLite compares it with one that is asked for, or of its own.
HARMLESS = {
    ("attempt", "run"),
    ("anchor", "job"),
    ("anchor", "interval_minutes"),
    ("boot", "job"),
    ("boot", "boot_id"),
    ("jump", "era"),
    ("jump", "number"),
    *(("high_water", "one"), ("high_water", "commits")),  # it is told in a file, too
    ("tick", "one"),
    ("reckoning", "one"),
    *(
        (table, "seal")
        for table in (
            *("tick", "era", "anchor", "boot", "pause", "backlog", "attempt"),
            *("notice", "alert_state"),
        )
    ),
    *(("alert_state", "job"), ("alert_state", "state")),
    ("sqlite_sequence", "name"),
    ("sqlite_sequence", "seq"),
}


@pytest.mark.parametrize(
    ("statement", "why"),
    [
        ("DELETE FROM attempt WHERE run = 4", "it runs, and has no attempt"),
        ("UPDATE run SET state = 'scheduled' WHERE number = 4", "it waits, and an attempt runs"),
        ("UPDATE run SET state = 'running' WHERE number = 3", "it runs, and its attempt is over"),
        ("INSERT INTO attempt (run, attempt, output) VALUES (4, 2, 'x')", "two attempts run"),
        ("INSERT INTO attempt (run, attempt, output) VALUES (4, 3, 'x')", "the second is missing"),
    ],
)
def test_an_open_run_and_its_attempts_have_to_agree(
    journal: Journal, statement: str, why: str
) -> None:
    """Else what lives would be started beside itself."""
    journal.connection._sqlite.execute(statement)
    with pytest.raises(JournalDamaged, match="its attempts tell otherwise"):
        journal.unfinished()
    assert why


@pytest.mark.parametrize(
    ("statement", "why"),
    [
        ("ALTER TABLE jump RENAME COLUMN verdict TO verdicu", "no such column"),
        ("ALTER TABLE jump RENAME TO jumq", "no such table"),
        ("DROP INDEX run_open", "no such index"),
    ],
)
def test_tables_that_are_others_than_were_made_are_damage(
    journal: Journal, statement: str, why: str
) -> None:
    """A statement can't be prepared then."""
    journal.connection._sqlite.execute(statement)
    with pytest.raises(JournalDamaged, match=why):
        read_all(journal)


def test_what_nobody_can_ask_for_is_no_damage(journal: Journal) -> None:
    with pytest.raises(JournalError) as refused:
        journal.queries.run(10**30)
    assert not isinstance(refused.value, JournalDamaged)


@pytest.mark.parametrize(
    "statement",
    [
        "UPDATE tick SET minute = minute - 60",
        "UPDATE era SET since = since - 60",
        "UPDATE anchor SET instant = instant + 64",
        "UPDATE boot SET boot_id = 'that boot'",
        "UPDATE pause SET job = 'pauser'",
        "UPDATE pause SET until = until - 64",
        "UPDATE backlog SET remain = remain + 1",
        "UPDATE notice SET target = '|tall' WHERE state = 'waiting'",
        "UPDATE notice SET body = replace(body, 'over', 'ever') WHERE state = 'sending'",
        "UPDATE alert_state SET state = 'unknown'",
        "UPDATE attempt SET pid = pid + 1 WHERE run = 4",
        "UPDATE attempt SET pid_started = pid_started + 1 WHERE run = 4",
    ],
)
def test_a_value_that_could_be_is_known_by_its_seal(journal: Journal, statement: str) -> None:
    """On these it depends what is started, and each of them makes sense."""
    journal.integrity.examine()
    journal.connection._sqlite.execute(statement)
    read_all(journal)
    table = statement.split()[1]
    with pytest.raises(JournalDamaged, match=f"not as it was written, in table {table}"):
        journal.integrity.examine()


def test_a_large_journal_is_looked_at_in_part(
    journal: Journal, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A key that its index has lost would be given a second time."""
    monkeypatch.setattr(integrity, "_SMALL", 0)
    journal.integrity.examine()
    journal.connection._sqlite.execute("PRAGMA writable_schema = ON")
    journal.connection._sqlite.execute(
        "UPDATE sqlite_schema SET rootpage = (SELECT rootpage FROM sqlite_schema"
        " WHERE name = 'run_stretch') WHERE name = 'sqlite_autoindex_run_1'"
    )
    journal.connection._sqlite.execute("PRAGMA writable_schema = RESET")
    with pytest.raises(JournalDamaged):
        journal.integrity.examine()
