"""When a target's turn is, and what follows from an answer: a row a case."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from typing import TYPE_CHECKING

import pytest

from scheduler.alerts.courier import Lane, Unanswered
from scheduler.alerts.dispatch_rules import (
    MOST_SENDERS,
    PING_RETRIES,
    RETRIES,
    NeverSent,
    NotReached,
    Sent,
    SentLater,
    admitted,
    consequences,
    is_repeated,
    turn_of,
)
from scheduler.journal.rows import NoticeRow, NoticeState
from scheduler.notice import Channel, Facts, Kind, Notice, Result

if TYPE_CHECKING:
    from scheduler.alerts.courier import Answer

NOON = datetime(2027, 3, 1, 12, tzinfo=UTC)
MINUTE = timedelta(minutes=1)
SECOND = timedelta(seconds=1)


def rows(number: int, tries: int = 0, target: str = "|tell", due: datetime = NOON) -> list[NoticeRow]:  # fmt: skip
    notice = Notice(target, Kind.FAILURE, NOON, Facts("job", "", "", 1, "UTC"))
    return [NoticeRow(n + 1, notice, NoticeState.SENDING, due, 1, tries) for n in range(number)]


def told(found: list[NoticeRow], answer: Answer) -> list[str]:
    """The consequences, each in a few words."""
    words = []
    for each in consequences(found, answer, NOON):
        numbers = ",".join(str(row.number) for row in each.rows)
        match each:
            case Sent():
                words.append(f"{numbers} sent{each.note}")
            case NotReached(is_unsure=is_unsure):
                words.append(f"{numbers} not reached{'?' if is_unsure else ''}")
            case NeverSent(error=error):
                words.append(f"{numbers} given up: {error}")
            case SentLater(due=due, tried=tried, is_unsure=is_unsure):
                how = "tried" if tried else "free"
                words.append(
                    f"{numbers} {how} +{(due - NOON) / MINUTE:g}{'?' if is_unsure else ''}"
                )
    return words


REFUSED = Result(1, "refused")
HUNG = Unanswered(1, "hung")
NOT_REACHED = Unanswered(1, "hung", is_unsure=False, is_tried=False)


@pytest.mark.parametrize(
    ("found", "answer", "what"),
    [
        (rows(2), Result(1), ["1,2 sent"]),
        (rows(2), Result(1, sent=(0,)), ["1,2 sent"]),  # no error is all of it
        (rows(1), Result(1, note=", but"), ["1 sent, but"]),
        (rows(2), REFUSED, ["1,2 tried +1"]),
        (
            rows(3),
            Result(1, "refused", sent=(0,)),
            ["1 sent", "2,3 tried +1"],
        ),  # never a second time
        (rows(2), Result(1, "refused", sent=(0, 1)), ["1,2 sent"]),
        (rows(2), Result(1, "no such address", permanent=True), ["1,2 given up: no such address"]),
        (rows(2), Result(1, "no", permanent=True, sent=(0,)), ["1 sent", "2 given up: no"]),
        (rows(3), Result(1, "no", permanent=True, sent=(0, 2)), ["1,3 sent", "2 given up: no"]),
        (rows(3), Result(1, "later", sent=(1,)), ["2 sent", "1,3 tried +1"]),
        (rows(2), HUNG, ["1,2 tried +1?"]),  # it may have been sent
        (rows(2), Result(1, "no answer", is_unsure=True), ["1,2 tried +1?"]),  # so may this
        (rows(2), Result(1, "no answer", sent=(0,), is_unsure=True), ["1 sent", "2 tried +1?"]),
        (rows(1), Unanswered(1, "no room", is_unsure=False), ["1 tried +1"]),  # it surely was not
        (rows(2, due=NOON - MINUTE), NOT_REACHED, ["1,2 not reached"]),
        (rows(1, tries=1), REFUSED, ["1 tried +5"]),
        (rows(1, tries=7), REFUSED, ["1 tried +1440"]),
        (rows(1, tries=8), REFUSED, ["1 given up: refused"]),
        (rows(1, tries=8), HUNG, ["1 given up: hung"]),
        (rows(1, tries=3, target="ping:https://x"), REFUSED, ["1 given up: refused"]),  # stale
        (rows(1, tries=8, due=NOON + 5 * MINUTE), REFUSED, ["1 free +5"]),  # it only went along
        (rows(1, due=NOON + 5 * MINUTE), Result(1), ["1 sent"]),
        ([], Result(1), []),  # of a journal that knows it no more
        ([], REFUSED, []),
    ],
)
def test_what_follows_from_an_answer(
    found: list[NoticeRow], answer: Answer, what: list[str]
) -> None:
    assert told(found, answer) == what


def test_a_notice_is_tried_for_two_days() -> None:
    assert sum(RETRIES) / 3600 == pytest.approx(46.35)
    assert sum(PING_RETRIES) / 60 == 21


@pytest.mark.parametrize(
    ("target", "since_last", "seconds"),
    [
        ("|tell", None, 0),  # nothing went to it for long
        ("|tell", 0.0, 60),
        ("|tell", 59.0, 1),
        ("desktop", 15.0, 45),
        ("ping:https://x", 0.0, 0),  # a start and its end come as they come
    ],
)
def test_a_target_gets_one_delivery_a_minute(
    target: str, since_last: float | None, seconds: int
) -> None:
    due = NOON - 10 * SECOND
    turn = turn_of(target, due, NOON, since_last)
    assert turn == (NOON + seconds * SECOND if seconds else due)
    late = NOON + 1000 * MINUTE
    assert turn_of(target, late, NOON, since_last) == late


@pytest.mark.parametrize(
    ("target", "kind", "detail", "is_it"),
    [
        ("mail:a@b", Kind.FAILURE, "", True),
        ("|tell", Kind.OUTPUT, "", True),
        ("ping:https://x", Kind.PING, "success", True),
        ("ping:https://x", Kind.PING, "fail", True),
        ("ping:https://x", Kind.PING, "start", False),  # it runs no more
        ("desktop", Kind.FAILURE, "", False),  # it has been seen, or nobody is there
    ],
)
def test_what_may_have_been_sent_is_sent_again_where_that_helps(
    target: str, kind: Kind, detail: str, is_it: bool
) -> None:
    facts = Facts("job", "", "", 1, "UTC", detail=detail)
    assert is_repeated(Notice(target, kind, NOON, facts)) is is_it


def lane(user: str | None, channel: Channel = Channel.COMMAND, *, trouble: bool = False) -> Lane:
    return Lane(channel, trouble, user)


OWN, BOB, ANN, EVE = (lane(user) for user in (None, "bob", "ann", "eve"))
BOBS_MAIL, BOBS_PINGS = lane("bob", Channel.MAIL), lane("bob", Channel.PING)
CROWD = [lane(f"user{number}") for number in range(MOST_SENDERS + 1)]


@pytest.mark.parametrize(
    ("ready", "busy", "last", "expected"),
    [
        ([OWN, BOB], [], {}, [OWN, BOB]),
        ([OWN, lane(None, Channel.MAIL)], CROWD, {}, [OWN, lane(None, Channel.MAIL)]),  # always
        ([BOB], CROWD[:MOST_SENDERS], {}, []),  # there are as many as may be
        ([BOB, ANN], CROWD[: MOST_SENDERS - 1], {}, [BOB]),
        ([BOB, ANN], CROWD[: MOST_SENDERS - 1], {BOB: 5.0}, [ANN]),  # who had no turn yet
        ([BOB, ANN], CROWD[: MOST_SENDERS - 1], {BOB: 5.0, ANN: 4.0}, [ANN]),  # longest ago
        ([BOB, ANN], CROWD[: MOST_SENDERS - 1], {BOBS_MAIL: 5.0}, [ANN]),  # in any lane
        ([BOB, BOBS_MAIL, BOBS_PINGS], [], {}, [BOB, BOBS_MAIL]),  # two of a user
        ([BOB, BOBS_MAIL, BOBS_PINGS], [], {BOB: 2.0, BOBS_MAIL: 1.0}, [BOBS_PINGS, BOBS_MAIL]),
        ([BOBS_MAIL, EVE], [BOB, BOBS_PINGS], {}, [EVE]),
        (CROWD, [OWN], {}, CROWD[:MOST_SENDERS]),
    ],
)
def test_no_user_keeps_the_senders_of_others_from_starting(
    ready: list[Lane], busy: list[Lane], last: dict[Lane, float], expected: list[Lane]
) -> None:
    assert admitted(ready, busy, last) == expected
