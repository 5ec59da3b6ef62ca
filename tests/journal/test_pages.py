"""History in pages: the newest first, nothing twice and nothing left out, and what a page costs."""

from __future__ import annotations

import re
from dataclasses import replace
from datetime import timedelta
from typing import TYPE_CHECKING

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from journalled import MINUTE, NOON, finished

from scheduler.codec import decode, encode
from scheduler.errors import JournalDamaged, NoAnswer
from scheduler.journal import pages, past_runs
from scheduler.journal.journal import Journal
from scheduler.past import MOST_ON_A_PAGE, History, Page, PastRun
from scheduler.run import Ending, Exited, NotStarted, Reason, State
from scheduler.schedule.tick import Era

if TYPE_CHECKING:
    from datetime import datetime

    from scheduler.journal.rows import RunRow

USERS = ("alice", "bob", None)


def told(journal: Journal, asked: History, user: str | None = None) -> list[RunRow]:
    """All pages together."""
    found: list[RunRow] = []
    while True:
        rows, more = journal.pages.of(asked, user)
        assert len(rows) <= MOST_ON_A_PAGE
        found += rows
        if more is None:
            return found
        asked = replace(asked, page=Page.of(str(more)))


def claim(
    journal: Journal, minute: int, user: str | None, job: str, *, fails: bool = False
) -> None:
    run = journal.claim(job, NOON + minute * MINUTE, "UTC", user=user)
    if run is not None and fails:
        journal.finish(run, State.FAILED, Reason.EXHAUSTED)


runs = st.lists(
    st.tuples(st.integers(0, 30), st.sampled_from(USERS), st.sampled_from("ab"), st.booleans()),
    max_size=40,
)
times = st.none() | st.integers(0, 30).map(lambda minute: NOON + minute * MINUTE)


@settings(max_examples=150)
@given(
    runs,
    st.sampled_from(("alice", "bob", None)),
    st.sampled_from(("", "a", "b", "c")),
    times,
    times,
    st.booleans(),
    st.integers(1, 5),
)
def test_the_pages_together_are_what_a_look_at_every_run_finds(
    made: list[tuple[int, str | None, str, bool]],
    user: str | None,
    job: str,
    since: datetime | None,
    before: datetime | None,
    failed: bool,
    looked_at: int,
) -> None:
    patch = pytest.MonkeyPatch()
    patch.setattr(pages, "KEYS_LOOKED_AT", looked_at)
    patch.setattr(pages, "MOST_ON_A_PAGE", 2)
    journal = Journal.in_memory()
    try:
        for minute, whose, name, fails in made:
            claim(journal, minute, whose, name, fails=fails)
        asked = History(job, since=since, before=before, failed=failed)
        expected = [
            row
            for row in reversed(journal.queries.history())
            if (user is None or row.run.user == user)
            and (not job or row.run.job == job)
            and (since is None or row.run.instant >= since)
            and (before is None or row.run.instant < before)
            and (not failed or row.state is State.FAILED)
        ]
        assert told(journal, asked, user) == expected
    finally:
        journal.close()
        patch.undo()


@pytest.mark.parametrize("asked", [History(), History("shared"), History(failed=True)])
def test_a_user_is_told_nothing_of_another_s_runs(
    journal: Journal, asked: History, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(pages, "KEYS_LOOKED_AT", 2)
    for minute in range(6):
        claim(journal, minute, "bob" if minute else "alice", "shared", fails=True)
    for user, number in (("alice", 1), ("nobody", 0)):
        rows, more = journal.pages.of(asked, user)
        assert (len(rows), more) == (number, None), "where the next page begins is a run of bob's"


def test_what_ran_before_the_clock_was_set_back_comes_after(journal: Journal) -> None:
    finished(journal, "a", NOON + 9 * MINUTE)
    journal.daemon_state.begin_era(Era(1, NOON, NOON + 9 * MINUTE, NOON))
    run = journal.claim("a", NOON, "UTC", era=1)
    assert run is not None
    assert [row.run.number for row in told(journal, History())] == [2, 1]


def test_a_stretch_that_reaches_into_the_time_is_told(journal: Journal) -> None:
    journal.skip("a", NOON, "UTC", Reason.MISSED, until=NOON + 9 * MINUTE, user="alice")
    asked = History(since=NOON + 5 * MINUTE)
    assert [row.run.instant for row in told(journal, asked, "alice")] == [NOON]
    assert told(journal, History(since=NOON + 10 * MINUTE), "alice") == []


@pytest.mark.parametrize("asked", [History(), History("a"), History(failed=True)])
@pytest.mark.parametrize("user", ["alice", None])
def test_a_page_costs_no_more_however_many_runs_there_are(
    journal: Journal, asked: History, user: str | None
) -> None:
    def steps() -> int:
        ticks = 0

        def count() -> int:
            nonlocal ticks
            ticks += 1
            return 0

        journal.connection._sqlite.set_progress_handler(count, 1)
        journal.pages.of(asked, user)
        journal.connection._sqlite.set_progress_handler(None, 1)
        return ticks

    def more(first: int) -> None:
        with journal.transaction():
            for minute in range(first, first + pages.KEYS_LOOKED_AT):
                claim(journal, minute, "alice", "a", fails=minute % 20 == 0)
                claim(journal, minute, "bob", "b")

    more(0)
    few = steps()
    for first in range(pages.KEYS_LOOKED_AT, 4 * pages.KEYS_LOOKED_AT, pages.KEYS_LOOKED_AT):
        more(first)
    assert steps() <= few * 1.01, "of the database's own machine"


def test_a_run_without_a_time_is_damage(journal: Journal) -> None:
    finished(journal, "a", NOON)
    journal.connection._sqlite.execute("PRAGMA ignore_check_constraints = ON")
    journal.connection._sqlite.execute("UPDATE run SET instant = 'noon'")
    with pytest.raises(JournalDamaged, match="of no time"):
        journal.pages.of(History(), None)


def test_a_run_that_was_told_is_heard_as_it_is(journal: Journal) -> None:
    run = journal.claim("backup", NOON, "Europe/Berlin", user="alice", by_hand=True)
    assert run is not None
    for number, outcome in ((1, Exited(3)), (2, NotStarted("no such file"))):
        attempt = journal.claim_attempt(run, number, f"outputs/backup/1.{number}.log")
        assert attempt is not None
        journal.started(attempt, NOON, 41, None)
        ended = NOON + timedelta(seconds=number)
        journal.ended(attempt, Ending(outcome, ended, 0.25, 4096, took=1.5, emptied=True))
        journal.left_behind(attempt, 2)
    journal.finish(run, State.FAILED, Reason.EXHAUSTED)
    journal.skip("backup", NOON + MINUTE, "UTC", Reason.PAUSED, until=NOON + 9 * MINUTE)
    for row in journal.queries.history():
        sent = encode(past_runs.told(row))
        assert past_runs.heard(decode(PastRun, sent)) == row


@pytest.mark.parametrize(
    "member", [{"state": "eclipsed"}, {"reason": "the moon"}], ids=lambda member: str(*member)
)
def test_words_of_a_newer_daemon_are_no_answer_here(
    journal: Journal, member: dict[str, str]
) -> None:
    finished(journal, "a", NOON)
    (row,) = journal.queries.history()
    strange = decode(PastRun, encode(past_runs.told(row)) | member)
    with pytest.raises(NoAnswer, match="of another version"):
        past_runs.heard(strange)


@pytest.mark.parametrize("text", ["-", "1", "1.2", "1.2.3.4", "-1.2.3", "1.2.3 ", "a.b.c", "1.2.٣", "9" * 19 + ".1.1"])  # fmt: skip
def test_a_page_that_no_reply_named_is_refused(text: str) -> None:
    with pytest.raises(ValueError, match=re.escape(text)):
        Page.of(text)


@given(st.integers(0, 10**17), st.integers(-(10**17), 10**17), st.integers(1, 10**17))
def test_a_page_is_read_as_it_was_written(era: int, second: int, run: int) -> None:
    assert Page.of(str(Page(era, second, run))) == (era, second, run)
