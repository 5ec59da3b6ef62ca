"""The outbox: what somebody is to hear is there with what it tells of, sent as a whole, and kept."""

from __future__ import annotations

from collections import Counter
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from typing import TYPE_CHECKING

import pytest
from hypothesis import given
from hypothesis import strategies as st
from records import values

from scheduler.journal import outbox
from scheduler.journal.journal import Journal
from scheduler.journal.rows import NoticeRow, NoticeState
from scheduler.notice import Facts, Kind, Notice, Recipient

if TYPE_CHECKING:
    from scheduler.notice import Delivery

NOON = datetime(2027, 3, 1, 12, tzinfo=UTC)
SECOND = timedelta(seconds=1)
HOUR = timedelta(hours=1)


def notice(target: str = "mail:ops@example.com", job: str = "backup") -> Notice:
    return Notice(target, Kind.FAILURE, NOON, Facts(job, "cp -a", "crontab", 3, "UTC", run=7))


def numbers(deliveries: list[Delivery]) -> list[tuple[int, int]]:
    """The number of each delivery, and how many notices are in it."""
    return [(delivery.number, len(delivery.notices)) for delivery in deliveries]


def end(journal: Journal, delivery: int, state: NoticeState = NoticeState.SENT) -> None:
    journal.outbox.end(journal.outbox.of_delivery(delivery), state, NOON)


def try_again(journal: Journal, delivery: int, *, unsure: bool = False) -> None:
    for row in journal.outbox.of_delivery(delivery):
        due = NOON + HOUR
        journal.outbox.wait(row, due, "refused", delivery=delivery, tried=True, unsure=unsure)


@given(values(Notice))
def test_a_notice_is_read_as_it_was_written(written: Notice) -> None:
    journal = Journal.in_memory()
    journal.outbox.add(written)
    assert [row.notice for row in journal.outbox.notices()] == [written]
    assert [each.notices for each in journal.outbox.take(written.recipient)] == [(written,)]
    journal.integrity.examine()
    journal.close()


def test_a_name_that_is_no_text_is_kept_as_it_is(journal: Journal) -> None:
    written = notice("|/bin/\udcff", job="caf\udce9")
    journal.outbox.add(written)
    ((target, _),) = journal.outbox.due()
    assert [each.notices for each in journal.outbox.take(target)] == [(written,)]


@pytest.mark.parametrize(
    ("target", "seconds"),
    [
        ("mail:ops@example.com", 10),
        ("ntfy://host/topic", 10),
        ("|tell", 10),
        ("desktop", 1),  # somebody sits there
        ("ping:https://example.com", 0),  # it tells of a moment
    ],
)
def test_a_first_notice_waits_for_others(journal: Journal, target: str, seconds: int) -> None:
    journal.outbox.add(notice(target))
    assert journal.outbox.due() == [(Recipient(target), NOON + seconds * SECOND)]


def test_each_ping_is_a_delivery_of_its_own_and_they_stay_in_order(journal: Journal) -> None:
    url = "ping:https://example.com"
    for _ in range(2):
        journal.outbox.add(notice(url))
    assert numbers(journal.outbox.take(Recipient(url))) == [(1, 1), (2, 1)]
    try_again(journal, 1)
    try_again(journal, 2)
    journal.outbox.add(notice(url))
    assert numbers(journal.outbox.take(Recipient(url))) == [(1, 1), (2, 1), (3, 1)]


def test_a_notice_of_a_refused_commit_never_was(journal: Journal) -> None:
    def refused() -> None:
        with journal.transaction():
            journal.outbox.add(notice())
            journal.outbox.set_state("backup", "announced")
            raise ZeroDivisionError

    with pytest.raises(ZeroDivisionError):
        refused()
    assert (journal.outbox.due(), journal.outbox.state_of("backup")) == ([], None)


def test_what_is_new_for_one_target_goes_together_and_has_the_number_of_its_first(
    journal: Journal,
) -> None:
    for target in ("desktop", "|tell", "|tell"):
        journal.outbox.add(notice(target))
    assert numbers(journal.outbox.take(Recipient("|tell"))) == [(2, 2)]
    assert [to.target for to, _ in journal.outbox.due()] == ["desktop"]
    assert numbers(journal.outbox.sending()) == [(2, 2)]


def test_what_is_tried_again_goes_as_it_was_and_before_what_is_new(journal: Journal) -> None:
    """The recovery never comes before the failure, and a mail has the same number each time."""
    for _ in range(2):
        journal.outbox.add(notice("|tell"))
    journal.outbox.take(Recipient("|tell"))
    try_again(journal, 1, unsure=True)
    journal.outbox.add(notice("|tell"))
    first, second = journal.outbox.take(Recipient("|tell"))
    assert numbers([first, second]) == [(1, 2), (3, 1)]
    assert (first.is_repeat, second.is_repeat) == (True, False)


def test_what_was_sent_of_a_delivery_is_not_sent_again(journal: Journal) -> None:
    for _ in range(3):
        journal.outbox.add(notice("|tell"))
    journal.outbox.take(Recipient("|tell"))
    sent, *rest = journal.outbox.of_delivery(1)
    journal.outbox.end([sent], NoticeState.SENT, NOON)
    for row in rest:
        journal.outbox.wait(row, NOON, "refused", delivery=2, tried=True, unsure=False)
    assert numbers(journal.outbox.take(Recipient("|tell"))) == [(2, 2)]


def test_a_notice_tells_where_it_stands(journal: Journal) -> None:
    journal.outbox.add(notice("|tell"))
    row = NoticeRow(1, notice("|tell"), NoticeState.WAITING, NOON + 10 * SECOND)
    assert journal.outbox.notices() == [row]
    journal.outbox.take(Recipient("|tell"))
    row = replace(row, state=NoticeState.SENDING, delivery=1)
    assert journal.outbox.notices() == [row]
    try_again(journal, 1)
    row = replace(row, state=NoticeState.WAITING, due=NOON + HOUR, tries=1, error="refused")
    assert journal.outbox.notices() == [row]
    journal.outbox.take(Recipient("|tell"))
    end(journal, 1, NoticeState.FAILED)
    row = replace(row, state=NoticeState.FAILED, tries=2, error="", done=NOON)
    assert journal.outbox.notices() == [row]


def test_the_newest_come_last_and_may_be_of_two_states(journal: Journal) -> None:
    for _ in range(4):
        journal.outbox.add(notice("|tell"))
    journal.outbox.take(Recipient("|tell"))
    first, second, third, fourth = journal.outbox.of_delivery(1)
    journal.outbox.end([first, third], NoticeState.FAILED, NOON)
    journal.outbox.wait(second, NOON, "", delivery=2, tried=False, unsure=False)

    def found(*states: NoticeState, limit: int | None = None) -> list[int]:
        return [row.number for row in journal.outbox.notices(*states, limit=limit)]

    assert found() == [1, 2, 3, 4]
    assert found(limit=2) == [3, 4]
    assert found(NoticeState.FAILED) == [1, 3]
    assert found(NoticeState.WAITING, NoticeState.SENDING) == [2, fourth.number]
    counted = journal.glance.failed_alerts
    times = (NOON, NOON + 24 * HOUR, NOON - SECOND, NOON + 25 * HOUR)
    assert [counted(at) for at in times] == [2, 2, 0, 0]  # also none of a clock's wrong future
    assert journal.glance.retried_alerts() == 0


def test_a_hundred_thousand_go_in_deliveries_of_a_thousand(
    journal: Journal, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(outbox, "MOST_IN_DELIVERY", 4)
    for _ in range(10):
        journal.outbox.add(notice("|tell"))
    assert numbers(journal.outbox.take(Recipient("|tell"))) == [(1, 4)]
    try_again(journal, 1)
    assert numbers(journal.outbox.take(Recipient("|tell"))) == [(1, 4), (5, 4)]
    try_again(journal, 1)
    try_again(journal, 5)
    assert numbers(journal.outbox.take(Recipient("|tell"))) == [(1, 4), (9, 2)]
    end(journal, 9)
    end(journal, 1)
    assert numbers(journal.outbox.take(Recipient("|tell"))) == [(5, 4)]


def test_a_delivery_that_does_not_fit_any_more_is_left_whole(
    journal: Journal, monkeypatch: pytest.MonkeyPatch
) -> None:
    for size in (2, 3):
        for _ in range(size):
            journal.outbox.add(notice("|tell"))
        journal.outbox.take(Recipient("|tell"))
    try_again(journal, 1)
    try_again(journal, 3)
    monkeypatch.setattr(outbox, "MOST_IN_DELIVERY", 4)
    assert numbers(journal.outbox.take(Recipient("|tell"))) == [(1, 2)]
    assert numbers(journal.outbox.take(Recipient("|tell"))) == [(3, 3)]


def test_nothing_waits_for_a_clock_that_was_wrong(journal: Journal) -> None:
    far = replace(notice("|tell"), at=NOON + 1000 * HOUR)
    for each in (far, replace(far, at=NOON + HOUR)):
        journal.outbox.add(each)
    journal.outbox.hasten(Recipient("|tell"), NOON)
    assert [row.due for row in journal.outbox.notices()] == [NOON, NOON + HOUR + 10 * SECOND]


def test_what_was_told_of_a_job_is_what_was_set_last(journal: Journal) -> None:
    journal.outbox.set_state("backup", "one")
    journal.outbox.set_state("backup", "two")
    journal.outbox.set_state("report", "three")
    assert (journal.outbox.state_of("backup"), journal.outbox.jobs()) == ("two", ["backup", "report"])  # fmt: skip
    journal.outbox.set_state("backup", None)
    assert (journal.outbox.state_of("backup"), journal.outbox.jobs()) == (None, ["report"])


def test_a_number_is_never_given_again(journal: Journal) -> None:
    """A mail is known by it."""
    journal.outbox.add(notice("|tell"))
    journal.outbox.take(Recipient("|tell"))
    end(journal, 1)
    assert journal.outbox.forget(NoticeState.SENT, NOON + SECOND, beyond=NOON, limit=10) == 1
    journal.outbox.add(notice("|tell"))
    assert [row.number for row in journal.outbox.notices()] == [2]


def test_what_is_over_goes_by_its_state_and_age(journal: Journal) -> None:
    for _ in range(3):
        journal.outbox.add(notice("|tell"))
    journal.outbox.take(Recipient("|tell"))
    sent, failed, _ = journal.outbox.of_delivery(1)
    journal.outbox.end([sent], NoticeState.SENT, NOON)
    journal.outbox.end([failed], NoticeState.FAILED, NOON)
    assert journal.outbox.forget(NoticeState.SENT, NOON, beyond=NOON, limit=10) == 0
    assert journal.outbox.forget(NoticeState.SENT, NOON + SECOND, beyond=NOON, limit=10) == 1
    assert journal.outbox.forget(NoticeState.FAILED, NOON, beyond=NOON - SECOND, limit=10) == 1
    assert [row.number for row in journal.outbox.notices()] == [3]


# --- users ---------------------------------------------------------------------------------------

TEXTS = st.text(st.characters(exclude_categories=["Cs"]), max_size=20)


@given(TEXTS.filter(lambda target: not target.startswith("~")), st.none() | TEXTS)
def test_a_recipients_key_is_theirs_alone(target: str, user: str | None) -> None:
    to = Recipient(target, user)
    assert Recipient.of_key(to.key) == to


def test_what_is_for_one_user_never_goes_with_what_is_for_another(journal: Journal) -> None:
    for user in (None, "bob", "bo", "bob", "no body"):
        journal.outbox.add(replace(notice("desktop"), user=user))
    assert {to.user for to, _ in journal.outbox.due()} == {None, "bo", "bob", "no body"}
    (delivery,) = journal.outbox.take(Recipient("desktop", "bob"))
    assert [each.user for each in delivery.notices] == ["bob", "bob"]


def test_a_user_with_too_many_alerts_waiting_gets_no_more_and_others_do(
    journal: Journal, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("scheduler.journal.outbox.MOST_USER_WAITING", 3)
    for user in ("bob", "bobby", "bo", "b", None):
        for number in range(5):
            journal.outbox.add(replace(notice(f"|tell {number % 2}"), user=user))
    waiting = Counter(row.notice.user for row in journal.outbox.notices())
    assert waiting == {"bob": 3, "bobby": 3, "bo": 3, "b": 3, None: 5}  # never the daemon's own
    assert journal.outbox.crowded == {"bob", "bobby", "bo", "b"}
    journal.outbox.take(Recipient("|tell 0", "bob"))  # which makes room
    journal.outbox.add(replace(notice(), user="bob"))
    assert Counter(row.notice.user for row in journal.outbox.notices())["bob"] == 4


def test_a_user_has_so_many_alerts_in_an_hour(
    journal: Journal, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("scheduler.journal.outbox.MOST_USER_HOUR", 2)
    for at in (NOON, NOON, NOON + HOUR - SECOND, NOON + HOUR):
        for user in ("bob", None):
            journal.outbox.add(replace(notice(), at=at, user=user))
    added = Counter(row.notice.user for row in journal.outbox.notices())
    assert added == {"bob": 3, None: 4}
