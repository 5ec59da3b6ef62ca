"""The schedule language: what each text means, what is refused and what to write instead."""

from __future__ import annotations

import datetime as dt
from calendar import monthrange
from zoneinfo import ZoneInfo

import pytest
from croniter import croniter
from hypothesis import given, settings
from hypothesis import strategies as st

from scheduler.crontab import lint_schedule
from scheduler.entry import Every, Expression, Reboot
from scheduler.errors import BadValue
from scheduler.schedule import dates, expression
from scheduler.schedule.fields import (
    DAY_FIELD,
    FIELDS,
    HOUR_FIELD,
    MINUTE_FIELD,
    MONTH_FIELD,
    WEEKDAY_FIELD,
    Field,
)
from scheduler.schedule.search import following


def five_fields(text: str, *, job: str = "job", salt: str = "salt") -> Expression:
    schedule = expression.parse(text, job=job, salt=salt)
    assert isinstance(schedule, Expression)
    return schedule


def alone(field: Field, text: str, *, job: str = "job", salt: str = "salt") -> frozenset[int]:
    """Return what `text` means in `field`, every other field being `*`."""
    words = [text if other is field else "*" for other in FIELDS]
    schedule = five_fields(" ".join(words), job=job, salt=salt)
    return {
        MINUTE_FIELD: schedule.minutes,
        HOUR_FIELD: schedule.hours,
        DAY_FIELD: schedule.days,
        MONTH_FIELD: schedule.months,
        WEEKDAY_FIELD: schedule.weekdays,
    }[field]


@pytest.mark.parametrize(
    ("field", "text", "values"),
    [
        (MINUTE_FIELD, "*", range(60)),
        (MINUTE_FIELD, "0", {0}),
        (MINUTE_FIELD, "59", {59}),
        (MINUTE_FIELD, "007", {7}),  # people write leading zeros so that columns are straight
        (MINUTE_FIELD, "1,2,40", {1, 2, 40}),
        (MINUTE_FIELD, "2,1,2", {1, 2}),
        (MINUTE_FIELD, "10-12", {10, 11, 12}),
        (MINUTE_FIELD, "5-5", {5}),  # croniter would have made this every minute
        (MINUTE_FIELD, "*/20", {0, 20, 40}),
        (MINUTE_FIELD, "*/7", range(0, 60, 7)),
        (MINUTE_FIELD, "*/60", {0}),  # exactly as long as the field: once an hour, as it says
        (MINUTE_FIELD, "10-30/10", {10, 20, 30}),
        (MINUTE_FIELD, "10-20/30", {10}),  # longer than its range, not than its field
        (MINUTE_FIELD, "5/20", {5, 25, 45}),  # from 5 to the field's end
        (MINUTE_FIELD, "5,*/30", {0, 5, 30}),
        (MINUTE_FIELD, "7,*", range(60)),
        (HOUR_FIELD, "*", range(24)),
        (HOUR_FIELD, "22-23,0-2", {22, 23, 0, 1, 2}),
        (HOUR_FIELD, "*/24", {0}),
        (DAY_FIELD, "*", range(1, 32)),
        (DAY_FIELD, "*/10", {1, 11, 21, 31}),
        (DAY_FIELD, "15,L", {15}),
        (MONTH_FIELD, "*", range(1, 13)),
        (MONTH_FIELD, "jan", {1}),
        (MONTH_FIELD, "MAR-May", {3, 4, 5}),  # names in any case
        (MONTH_FIELD, "jan-12/6", {1, 7}),
        (MONTH_FIELD, "nov/1", {11, 12}),
        (WEEKDAY_FIELD, "*", range(7)),
        (WEEKDAY_FIELD, "0", {0}),
        (WEEKDAY_FIELD, "7", {0}),  # both are Sunday
        (WEEKDAY_FIELD, "sun", {0}),
        (WEEKDAY_FIELD, "1-5", {1, 2, 3, 4, 5}),
        (WEEKDAY_FIELD, "Mon-FRI", {1, 2, 3, 4, 5}),
        (WEEKDAY_FIELD, "fri-sun", {5, 6, 0}),  # a weekday range may end on Sunday
        (WEEKDAY_FIELD, "5-0", {5, 6, 0}),
        (WEEKDAY_FIELD, "5-7", {5, 6, 0}),
        (WEEKDAY_FIELD, "mon-sun/2", {1, 3, 5, 0}),
        (WEEKDAY_FIELD, "0-7", range(7)),
        (WEEKDAY_FIELD, "0-0", {0}),
        (WEEKDAY_FIELD, "7-7", {0}),
        (WEEKDAY_FIELD, "*/2", {0, 2, 4, 6}),
        (WEEKDAY_FIELD, "*/7", {0}),
        (WEEKDAY_FIELD, "5/1", {5, 6}),  # the week's end is Saturday where it is not written
        (WEEKDAY_FIELD, "7/3", {0, 3, 6}),
        (WEEKDAY_FIELD, "mon,fri#2", {1}),
    ],
)
def test_a_field_names_its_values(field: Field, text: str, values: range | set[int]) -> None:
    assert alone(field, text) == set(values)


@pytest.mark.parametrize(
    ("text", "days", "last_day", "weekdays", "nth"),
    [
        ("0 0 L * *", set(), True, set(range(7)), set()),
        ("0 0 15,L * *", {15}, True, set(range(7)), set()),
        ("0 0 l * *", set(), True, set(range(7)), set()),
        ("0 0 1 * fri#2", {1}, False, set(), {(5, 2)}),
        ("0 0 1 * 0#5", {1}, False, set(), {(0, 5)}),
        ("0 0 1 * 7#1", {1}, False, set(), {(0, 1)}),  # 7 is Sunday here too
        ("0 0 1 * L5", {1}, False, set(), {(5, -1)}),
        ("0 0 1 * 5L", {1}, False, set(), {(5, -1)}),
        ("0 0 1 * friL", {1}, False, set(), {(5, -1)}),
        ("0 0 1 * FRIL,Lsun,7L", {1}, False, set(), {(5, -1), (0, -1)}),
        ("0 0 1 * mon,fri#2,L5", {1}, False, {1}, {(5, 2), (5, -1)}),
    ],
)
def test_days_can_be_counted_within_the_month(
    text: str, days: set[int], last_day: bool, weekdays: set[int], nth: set[tuple[int, int]]
) -> None:
    schedule = five_fields(text)
    assert schedule.days == days
    assert schedule.last_day == last_day
    assert schedule.weekdays == weekdays
    assert schedule.nth_weekdays == nth


@pytest.mark.parametrize(
    ("text", "days_rule"),
    [
        ("0 0 * * *", "and"),
        ("0 0 13 * *", "and"),
        ("0 0 * * 5", "and"),
        ("0 0 13 * 5", "or"),
        ("0 0 */2 * 5", "and"),  # the text starts with a star: crontab(5)'s own rule
        ("0 0 13 * */2", "and"),
        ("0 0 *,5 * 5", "and"),
        ("0 0 5,* * 5", "or"),  # a star that comes second is none
        ("0 0 1-31 * 5", "or"),
        ("0 0 13 * 0-6", "or"),
        ("0 0 H * 5", "or"),
        ("0 0 ~ * 5", "or"),
        ("0 0 L * 5", "or"),
        ("0 0 1/2 * 5", "or"),
    ],
)
def test_both_day_fields_must_match_if_either_text_starts_with_a_star(
    text: str, days_rule: str
) -> None:
    assert five_fields(text).days_rule == days_rule


@pytest.mark.parametrize(
    ("text", "every_hour", "elapsed"),
    [
        ("* * * * *", True, True),
        ("5 * * * *", True, True),
        ("H * * * *", True, True),
        ("5 */1 * * *", True, True),  # every hour, however it is written
        ("5 *,3 * * *", True, True),
        ("5 */60,* * * *", True, True),
        ("5 0-23/1 * * *", True, False),  # a star repeats it in an overlap, and here is none
        ("5 0-23 * * *", True, False),
        ("5 0-11,12-23 * * *", True, False),
        ("5 3,* * * *", True, False),
        ("5 0/1 * * *", True, False),
        ("5 0-22 * * *", False, False),
        ("5 */2 * * *", False, True),
        ("*/30 2 * * *", False, True),
        ("0,30 2 * * *", False, False),
        ("H/15 2 * * *", False, False),
        ("30 2 * * *", False, False),
        ("@hourly", True, True),
        ("@daily", False, False),
    ],
)
def test_what_clock_changes_do_hangs_on_the_text_of_minute_and_hour(
    text: str, every_hour: bool, elapsed: bool
) -> None:
    schedule = five_fields(text)
    assert (schedule.every_hour, schedule.elapsed) == (every_hour, elapsed)


# --- nicknames -----------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("nickname", "text"),
    [
        ("@yearly", "0 0 1 1 *"),
        ("@annually", "0 0 1 1 *"),
        ("@monthly", "0 0 1 * *"),
        ("@weekly", "0 0 * * 0"),
        ("@daily", "0 0 * * *"),
        ("@midnight", "0 0 * * *"),
        ("@hourly", "0 * * * *"),
        ("@Hourly", "0 * * * *"),
        (" @DAILY\t", "0 0 * * *"),
    ],
)
def test_a_nickname_is_the_very_object_of_its_five_fields(nickname: str, text: str) -> None:
    assert expression.parse(nickname) is expression.parse(text)


@pytest.mark.parametrize(
    ("text", "schedule"),
    [
        ("@reboot", Reboot()),
        ("@REBOOT", Reboot()),
        ("@every 90m", Every(90)),
        ("@every 2d", Every(2880)),
        ("@every 1h30m", Every(90)),
        ("@every 120", Every(2)),  # a bare number is seconds
        ("@every 60s", Every(1)),
        ("@Every \t 1m ", Every(1)),
    ],
)
def test_a_schedule_without_fields_is_an_interval_or_a_boot(
    text: str, schedule: Every | Reboot
) -> None:
    assert expression.parse(text) == schedule


# --- picks ---------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("field", "text", "possible"),
    [
        (MINUTE_FIELD, "~", range(60)),
        (MINUTE_FIELD, "10~20", range(10, 21)),
        (MINUTE_FIELD, "50~", range(50, 60)),
        (MINUTE_FIELD, "~5", range(6)),
        (MINUTE_FIELD, "7~7", {7}),
        (MINUTE_FIELD, "H", range(60)),
        (MINUTE_FIELD, "h", range(60)),
        (MINUTE_FIELD, "H(0-5)", range(6)),
        (HOUR_FIELD, "~", range(24)),
        (DAY_FIELD, "~", range(1, 32)),
        (DAY_FIELD, "H", range(1, 29)),  # a day that every month has
        (DAY_FIELD, "H(25-31)", range(25, 32)),
        (MONTH_FIELD, "jan~mar", {1, 2, 3}),
        (MONTH_FIELD, "H", range(1, 13)),
        (WEEKDAY_FIELD, "~", range(7)),
        (WEEKDAY_FIELD, "5~", {5, 6, 0}),  # cron's week ends on day 7
        (WEEKDAY_FIELD, "fri~sun", {5, 6, 0}),
        (WEEKDAY_FIELD, "H(mon-fri)", {1, 2, 3, 4, 5}),
    ],
)
def test_a_pick_is_one_value_of_its_range_and_reaches_all(
    field: Field, text: str, possible: range | set[int]
) -> None:
    picks = [alone(field, text, job=f"job-{number}") for number in range(600)]
    assert all(len(pick) == 1 for pick in picks)
    assert frozenset().union(*picks) == set(possible)


@pytest.mark.parametrize(
    ("field", "text", "starts", "step", "high"),
    [
        (MINUTE_FIELD, "~/20", range(20), 20, 59),  # OpenBSD: a fixed step from a random start
        (MINUTE_FIELD, "10~29/5", range(10, 15), 5, 29),
        (MINUTE_FIELD, "10~12/30", range(10, 13), 30, 12),  # the start stays in the range
        (MINUTE_FIELD, "H/15", range(15), 15, 59),
        (MINUTE_FIELD, "H(0-29)/10", range(10), 10, 29),
        (HOUR_FIELD, "H/6", range(6), 6, 23),
        (DAY_FIELD, "H/14", range(1, 15), 14, 28),
    ],
)
def test_a_pick_with_a_step_moves_only_its_start(
    field: Field, text: str, starts: range, step: int, high: int
) -> None:
    picks = {alone(field, text, job=f"job-{number}") for number in range(400)}
    assert picks == {frozenset(range(start, high + 1, step)) for start in starts}


def test_a_random_range_mixes_with_other_items() -> None:
    for number in range(20):
        values = alone(MINUTE_FIELD, "5,30~39,50-51", job=f"job-{number}")
        assert values >= {5, 50, 51}
        assert len(values) == 4


def test_picks_are_the_same_in_every_process_and_version() -> None:
    # Were these to change, every H and ~ in the world would move on an upgrade.
    assert alone(MINUTE_FIELD, "H", job="report") == {32}
    assert alone(MINUTE_FIELD, "~", job="backup", salt="host") == {51}


@given(st.text(), st.text(), st.text())
def test_h_hangs_on_the_job_and_the_field_alone(job: str, salt: str, other_salt: str) -> None:
    first = expression.parse("H H H(1-9) * *", job=job, salt=salt)
    assert first is expression.parse("H H H(1-9) * *", job=job, salt=other_salt)


def test_a_random_range_hangs_on_salt_job_field_and_item() -> None:
    assert len({alone(MINUTE_FIELD, "~", salt=f"host-{n}") for n in range(50)}) > 20
    assert len({alone(MINUTE_FIELD, "~", job=f"job-{n}") for n in range(50)}) > 20
    assert len({min(alone(MINUTE_FIELD, f"0~{n}")) for n in range(30, 60)}) > 10
    both = [five_fields("~ 0~23 * * *", job=f"{n}") for n in range(50)]
    assert len({(min(e.minutes), min(e.hours)) for e in both}) > 40


@pytest.mark.parametrize(
    ("text", "days"),
    [
        ("0 0 ~ feb *", set(range(1, 29))),
        ("0 0 28~31 2 *", {28}),  # not the 29th, which comes once in four years
        ("0 0 29~31 2 *", {29}),  # unless there is nothing else
        ("0 0 28~31 4 *", {28, 29, 30}),
        ("0 0 28~31 2,4 *", {28, 29, 30}),
        ("0 0 H(28-31) 2 *", {28}),
        ("0 0 30~31 2~4 *", {30, 31}),  # never in February
        ("0 0 */31,5~9 * mon#2", {1, 8, 9}),
        ("0 0 30~31 2 *", {30, 31}),  # never, on every machine alike
    ],
)
def test_no_draw_decides_whether_a_date_ever_comes(text: str, days: set[int]) -> None:
    drawn = [five_fields(text, job=f"job-{number}") for number in range(300)]
    assert set().union(*(each.days for each in drawn)) == days
    assert len({dates.comes(each) for each in drawn}) == 1


# --- what is refused -----------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("text", "code", "offset", "hint"),
    [
        # Too much or too little
        ("", "too-few-fields", 0, "nickname"),
        ("   ", "too-few-fields", 0, "nickname"),
        ("0 0 * *", "too-few-fields", 0, "nickname"),
        ("0 30 7 * * 1-5", "seconds-field", 0, "write 30 7 * * 1-5"),
        ("\t0 0  1 1 * 2027", "too-many-fields", 12, "write 0 0 1 1 *"),
        ("0 30 7 * * 1-5 2027", "too-many-fields", 11, ""),
        # Ranges that end before they begin
        ("0 22-2 * * *", "reversed-range", 2, "write 22-23,0-2"),
        ("0 23-0 * * *", "reversed-range", 2, "write 23,0"),
        ("0 22-3/2 * * *", "reversed-range", 2, "write 22,0,2"),
        ("7-2 * * * *", "reversed-range", 0, "write 7-59,0-2"),
        ("0 0 28-3 * *", "reversed-range", 4, "write 28-31,1-3"),
        ("0 0 * nov-feb *", "reversed-range", 6, "write nov-dec,jan-feb"),
        ("0 0 * * sat-mon", "reversed-range", 8, "write sat-sun,mon"),
        ("0 0 * * 6-2", "reversed-range", 8, "write 6-7,1-2"),
        ("0 0 * * fri-mon/2", "reversed-range", 8, "write fri,sun"),
        ("0 0 * * 7-2", "reversed-range", 8, "write the Sunday as 0"),
        (
            "5-0 * * * *",
            "reversed-range",
            0,
            "write 5-59,0",
        ),  # ends on Sunday in the weekday field only
        ("50~10 * * * *", "reversed-range", 0, "smaller one first"),
        ("H(5-0) * * * *", "reversed-range", 0, "smaller one first"),
        # Steps
        ("*/4294967301 * * * *", "step-too-long", 0, ""),  # never wrapped to 5
        ("*/0 * * * *", "step-zero", 0, "1 or more"),
        ("*/000 * * * *", "step-zero", 0, "1 or more"),
        ("*/ * * * *", "not-a-number", 0, ""),
        ("*/-5 * * * *", "not-a-number", 0, ""),
        ("*/mon * * * *", "not-a-number", 0, ""),
        ("*/5/2 * * * *", "junk-after-value", 0, ""),
        # Lists
        ("1,,2 * * * *", "empty-item", 2, ""),
        (",1 * * * *", "empty-item", 0, ""),
        ("1, * * * *", "empty-item", 2, ""),
        (",,, * * * *", "empty-item", 0, ""),
        # Numbers
        ("60 * * * *", "out-of-range", 0, ""),
        ("1,2,99 * * * *", "out-of-range", 4, ""),
        ("0 24 * * *", "out-of-range", 2, ""),
        ("0 0 0 * *", "out-of-range", 4, ""),
        ("0 0 32 * *", "out-of-range", 4, ""),
        ("0 0 * 13 *", "out-of-range", 6, ""),
        ("0 0 * * 8", "out-of-range", 8, ""),
        ("4294967301 * * * *", "out-of-range", 0, ""),  # never wrapped to 5
        ("9" * 5000 + " * * * *", "out-of-range", 0, ""),
        ("0 0 * * mon#0", "out-of-range", 8, "mon#1 to mon#5"),
        ("0 0 * * mon#6", "out-of-range", 8, "monL"),
        ("0 0 * * 9L", "out-of-range", 8, ""),
        ("-5 * * * *", "not-a-number", 0, ""),
        ("+5 * * * *", "not-a-number", 0, ""),
        ("٣ * * * *", "not-a-number", 0, "ASCII"),  # int() would have read it
        ("1² * * * *", "junk-after-value", 0, "ASCII"),
        ("1.5 * * * *", "junk-after-value", 0, ""),
        ("1-2-3 * * * *", "junk-after-value", 0, ""),
        ("1- * * * *", "junk-after-value", 0, ""),
        ("** * * * *", "junk-after-value", 0, ""),
        ("*5 * * * *", "junk-after-value", 0, ""),
        ("1\n * * * *", "junk-after-value", 0, ""),
        ("H(0-5 * * * *", "junk-after-value", 0, ""),
        ("0 0 * * mon#1x", "junk-after-value", 8, ""),
        ("0 0 * * mon-fri#2", "junk-after-value", 8, ""),
        ("0 0 fri#2 * *", "junk-after-value", 4, "weekday field"),
        ("0 0 15W * *", "junk-after-value", 4, ""),
        ("0 0 ? * *", "question-mark", 4, "write *"),
        # Names
        ("0 0 * * jan", "bad-name", 8, "month field"),
        ("0 0 * tue *", "bad-name", 6, "weekday field"),
        ("0 0 * * monday", "bad-name", 8, "write mon"),
        ("0 0 * june *", "bad-name", 6, "write jun"),
        ("0 0 * * xyz", "bad-name", 8, "sun to sat"),
        ("noon * * * *", "bad-name", 0, "write 0-59"),
        ("L * * * *", "bad-name", 0, "day field"),
        ("0 0 * * L", "bad-name", 8, "satL"),
        ("0 0 * * 1,5,ſun", "not-a-number", 12, "ASCII"),  # a long s folds to an s elsewhere
        # Nicknames
        ("@dayly", "bad-nickname", 0, "write @daily"),
        (" @5", "bad-nickname", 1, "known are @yearly"),
        ("@", "bad-nickname", 0, "known are"),
        ("@daily x", "too-many-fields", 7, ""),
        ("@every", "too-few-fields", 0, "@every 90m"),
        ("@every 90s", "not-whole-minutes", 7, "write @every 1m"),
        ("@every 30s", "not-whole-minutes", 7, "write @every 1m"),
        ("@every 90", "not-whole-minutes", 7, "write @every 90m"),
        ("@every 0", "not-whole-minutes", 7, "write @every 1m"),
        ("@every  soon", "bad-duration", 8, "1h30m"),
        ("@every 99999d", "duration-too-long", 7, ""),
        ("@every 1h 30m", "too-many-fields", 10, ""),
    ],
)
def test_what_never_does_what_was_meant_is_refused_with_what_to_write(
    text: str, code: str, offset: int, hint: str
) -> None:
    with pytest.raises(BadValue) as caught:
        expression.parse(text)
    assert (caught.value.code, caught.value.offset) == (code, offset)
    assert hint in caught.value.hint
    assert bool(hint) <= bool(caught.value.hint)
    assert len(caught.value.message) < 200


# --- what cron runs in its own way ---------------------------------------------------------------

AS_CRON_RUNS_IT = [
    # text, offset, code, what the message says, the hint, why
    ("*/90 * * * *", 0, "long-step", "60 minutes it goes through: it runs at minute 0 of every hour", "write @every 90m for an interval, or */60 to say just that", "once an hour"),
    ("*/120 * * * *", 0, "long-step", "it runs at minute 0 of every hour", "write @every 120m", "likewise"),
    ("*/61 3 * * *", 0, "long-step", "it runs at 03:00 every day", "write @every 61m", "of its hour"),
    ("0 */48 * * *", 2, "long-step", "24 hours it goes through: it runs at 00:00 every day", "write @every 48h for an interval, or */24 to say just that", "once a day"),
    ("0 0 */45 * *", 4, "long-step", "31 days it goes through: it runs at 00:00 on day 1 of the month", "write @every 45d", "once a month"),
    ("0 0 1 */18 *", 6, "long-step", "in January", "write */12", "once a year"),
    ("0 0 * * */14", 8, "long-step", "it runs at 00:00 on Sunday", "write @every 14d for an interval, or */7 to say just that", "once a week"),
    ("0 0 1-7 * */100", 10, "long-step", "days 1 to 7 of the month, and only on Sunday", "or */7 to say just that", "a lone star and its step: the first Sunday"),
    ("10-20/30 * * * *", 0, "long-step", "11 minutes it goes through: it runs at minute 10", "write 10", "in a range"),
    ("0 9-17/012 * * *", 2, "long-step", "9 hours it goes through: it runs at 09:00", "write 9", "with a nought in front"),
    ("0 0 * * fri-sun/4", 8, "long-step", "3 weekdays it goes through: it runs at 00:00 on Friday", "write fri", "over the week's end"),
    ("5/90 * * * *", 0, "long-step", "it runs at minute 5 of every hour", "write @every 90m", "to the field's end"),
    ("H/90 * * * *", 0, "long-step", "it runs at minute", "write @every 90m", "from a stable pick"),
    ("H(3-5)/10 * * * *", 0, "long-step", "3 minutes", "write H(3-5)", "of a range"),
    ("~/90 * * * *", 0, "long-step", "it runs at minute", "write @every 90m", "from a random one"),
    ("5,*/90 * * * *", 2, "long-step", "it adds 0 alone", "write 0", "beside another item"),
    ("*/90,5 * * * *", 0, "long-step", "it adds 0 alone", "write 0", "before one"),
    ("0 0 1-7,*/100 * MON", 8, "long-step", "only a * at the start makes both day fields count", "write */100,1-7", "a star that is not first is none"),
    ("0 0 31 2 *", 4, "never-runs", "this date never comes, so it never runs", "write L", "as many write never"),
    ("0 0 30,31 feb *", 4, "never-runs", "never runs", "write L", "neither day"),
    ("0 0 31 apr,jun,sep,nov *", 4, "never-runs", "never runs", "write L", "in no month"),
    ("0 0 31 2 */2", 4, "never-runs", "never runs", "write L", "both must match"),
    ("0 0 30~31 2 *", 4, "never-runs", "never runs", "write L", "whatever is drawn"),
    ("0 0 */15 * mon#2", 4, "never-runs", "never fall together, so it never runs", "without a *", "days 1, 16, 31; never 8-14"),
    ("0 0 */31 * friL", 4, "never-runs", "never fall together", "without a *", "nor these"),
]  # fmt: skip


@pytest.mark.parametrize(("text", "offset", "code", "message", "hint", "why"), AS_CRON_RUNS_IT)
def test_what_cron_runs_in_its_own_way_is_run_so_with_a_warning_that_says_how(
    text: str, offset: int, code: str, message: str, hint: str, why: str
) -> None:
    (doubt,) = lint_schedule.on_schedule(text, five_fields(text))
    assert (doubt.offset, doubt.code) == (offset, code), why
    assert message in doubt.message
    assert hint in doubt.hint


@pytest.mark.parametrize(
    "text",
    [
        "0 0 */100,1-7 * MON",  # the known way to say: the first Monday
        "0 0 */32,1-7 * MON",
        "0 0 1-7 * */100,MON",
        "0 0 */31,1-7 * MON",
        "*/60 */24 * * *",  # exactly as long as the field
        "5/60 * * * *",
        "10-20/11 * * * *",
        "0 0 * * mon-sun/7",
        "0 0 29 2 *",
        "0 0 29 2 */7",
        "@every 90m",
        "@reboot",
        "@yearly",
    ],
)
def test_what_does_what_it_says_needs_no_warning(text: str) -> None:
    assert lint_schedule.on_schedule(text, expression.parse(text)) == []


@pytest.mark.parametrize(
    ("text", "days_rule"),
    [
        ("0 0 */100,1-7 * MON", "and"),
        ("0 0 */32,1-7 * MON", "and"),
        ("0 0 1-7 * */100,MON", "and"),  # the Sunday that */100 adds included
        ("0 0 1-7,*/100 * MON", "or"),
    ],
)
def test_first_monday_means_what_it_means_to_cron(text: str, days_rule: str) -> None:
    schedule = five_fields(text)
    assert schedule.days == frozenset(range(1, 8))
    assert schedule.weekdays - {0} == frozenset({1})
    assert schedule.days_rule == days_rule


def bits(field: Field, text: str) -> set[int]:
    """Return the values of a plain list as cron's C sets them, bit by bit (cronie's entry.c).

    A loop from the lower end to the upper one, by the step, however long that is.
    """
    found: set[int] = set()
    for item in text.split(","):
        base, _, step = item.partition("/")
        low, _, high = base.partition("-")
        if low == "*":
            low, high = str(field.low), str(7 if field is WEEKDAY_FIELD else field.high)
        value = int(low)
        while value <= int(high or low):
            found.add(value % 7 if field is WEEKDAY_FIELD else value)
            value += int(step or 1)
    return found


def cron_items(field: Field) -> st.SearchStrategy[str]:
    """Draw items of the forms that cron has, with steps of any length."""
    number = st.integers(field.low, field.top)
    ends = st.tuples(number, number).map(sorted)
    step = st.integers(1, 200)
    return st.one_of(
        st.just("*"),
        number.map(str),
        step.map("*/{}".format),
        ends.map(lambda pair: f"{pair[0]}-{pair[1]}"),
        st.tuples(ends, step).map(lambda both: f"{both[0][0]}-{both[0][1]}/{both[1]}"),
    )


@settings(max_examples=300)
@given(st.sampled_from(FIELDS), st.data())
def test_a_list_with_steps_of_any_length_sets_the_bits_that_cron_sets(
    field: Field, data: st.DataObject
) -> None:
    text = data.draw(listed(cron_items(field)))
    assert alone(field, text) == bits(field, text)


def test_an_error_is_placed_anew_in_each_text() -> None:
    for blanks in ("", "  ", "\t\t\t", ""):
        with pytest.raises(BadValue) as caught:
            expression.parse(f"{blanks}0 \t 99 * * *")
        assert caught.value.offset == len(blanks) + 4


@pytest.mark.parametrize(
    "text",
    [
        "0 0 29 2 *",  # in leap years
        "0 0 31 2 1",  # on Mondays
        "0 0 L 2 *",
        "0 0 31 1,2 *",
        "0 0 * 2 mon#5",  # once in 28 years
        "0 0 */7 * fri#2",  # day 8 is a second Friday at times
        "0 0 15 * fri#2",  # either may match
        "0 0 */31,29 2 */7",
    ],
)
def test_a_date_that_comes_once_in_a_while_is_accepted(text: str) -> None:
    five_fields(text)


# One year of each kind: common and leap, beginning on each weekday.
KINDS_OF_YEAR = (*range(2001, 2007), 2009, *range(2000, 2028, 4))


@given(
    st.sets(st.integers(1, 31), max_size=3),
    st.booleans(),
    st.sets(st.integers(1, 12), min_size=1, max_size=3),
    st.sets(st.sampled_from(["1#1", "0#2", "5#3", "3#4", "6#5", "5L", "0L"]), max_size=2),
)
def test_never_means_on_no_day_of_any_kind_of_year(
    days: set[int], last: bool, months: set[int], nth: set[str]
) -> None:
    day = ",".join(["*/31", *map(str, days), *(["L"] if last else [])])
    weekday = ",".join(nth) or "*"
    text = f"0 0 {day} {','.join(map(str, months))} {weekday}"
    schedule = five_fields(text)
    wanted = {1, *days}
    comes = any(
        (date.day in wanted or (last and date.day == length))
        and (not nth or nth & names_of(date, length))
        for year in KINDS_OF_YEAR
        for month in months
        for length in [monthrange(year, month)[1]]
        for date in (dt.date(year, month, number) for number in range(1, length + 1))
    )
    assert dates.comes(schedule) == comes
    assert (
        "never-runs" in {each.code for each in lint_schedule.on_schedule(text, schedule)}
    ) != comes
    if not comes:
        start = dt.datetime(2000, 1, 1, tzinfo=dt.UTC)
        assert next(following(schedule, ZoneInfo("UTC"), start), None) is None


def names_of(date: dt.date, length: int) -> set[str]:
    weekday = date.isoweekday() % 7
    last = {f"{weekday}L"} if date.day > length - 7 else set()
    return {f"{weekday}#{(date.day + 6) // 7}"} | last


# --- back to text, and to JSON -------------------------------------------------------------------


@pytest.mark.parametrize(
    ("text", "canonical"),
    [
        ("30 7 * * 1-5", "30 7 * * 1-5"),
        ("@weekly", "0 0 * * 0"),
        ("*/5 * * jan-mar MON-fri", "*/5 * * 1-3 1-5"),
        ("0,15,30,45 9 * * *", "0-45/15 9 * * *"),  # no star, so clock changes treat it as fixed
        ("*/15 9 * * *", "*/15 9 * * *"),
        ("0-59 0-23 1-31 1-12 0-6", "0-59 0-23 1-31 * 0-6"),
        ("5 */1 * * *", "5 * * * *"),
        ("5 0-23 * * *", "5 0-23 * * *"),
        ("*/30 0-23 * * *", "*/30 * * * *"),
        ("0 0 *,13 * 5", "0 0 * * 5"),
        ("0 0 13 * */7", "0 0 13 * */7"),
        ("*/60,7 3 * * *", "*/60,7 3 * * *"),
        ("0 0 15,L * 5L,fri#2,1", "0 0 15,L * 1,5#2,5L"),
        ("0 0 *,L * *", "0 0 *,L * *"),
        ("0 0 * * 5-0", "0 0 * * 0,5-6"),
        ("@every 90m", "@every 1h30m"),
        ("@reboot", "@reboot"),
    ],
)
def test_a_schedule_is_printed_in_one_canonical_way(text: str, canonical: str) -> None:
    assert expression.to_text(expression.parse(text)) == canonical


def test_json_has_sorted_lists_and_the_day_rule() -> None:
    assert expression.field_sets(five_fields("30,0 7 15,L 12,1 mon,fri#2,friL,7")) == {
        "minute": [0, 30],
        "hour": [7],
        "day": [15, "L"],
        "month": [1, 12],
        "weekday": [0, 1, "5#2", "5L"],
        "days": "or",
    }


# --- properties ----------------------------------------------------------------------------------


def plain_items(low: int, high: int) -> st.SearchStrategy[str]:
    """Return items that croniter reads as cron does (`5-5` it does not)."""
    number = st.integers(low, high)
    ends = st.tuples(number, number).filter(lambda pair: pair[0] < pair[1])
    step = st.integers(1, high - low + 1)
    return st.one_of(
        st.just("*"),
        number.map(str),
        step.map("*/{}".format),
        ends.map(lambda pair: f"{pair[0]}-{pair[1]}"),
        st.tuples(ends, step).map(lambda both: f"{both[0][0]}-{both[0][1]}/{both[1]}"),
    )


def listed(item: st.SearchStrategy[str]) -> st.SearchStrategy[str]:
    return st.lists(item, min_size=1, max_size=3).map(",".join)


PLAIN_FIELDS = [
    listed(plain_items(low, high)) for low, high in [(0, 59), (0, 23), (1, 31), (1, 12), (0, 6)]
]
EXTRA_FIELDS = [
    PLAIN_FIELDS[0] | st.sampled_from(["H", "~", "H/7", "5/9", "*/60,8", "*,3"]),
    PLAIN_FIELDS[1] | st.sampled_from(["H", "~", "*/24,7", "*/1", "~4"]),
    PLAIN_FIELDS[2] | st.sampled_from(["L", "15,L", "*,L", "*/31", "H", "~"]),
    PLAIN_FIELDS[3],
    PLAIN_FIELDS[4] | st.sampled_from(["5#2", "5L,1", "7", "*/7,3", "fri-sun", "*,0L", "~"]),
]


@settings(max_examples=200)
@given(st.tuples(*PLAIN_FIELDS).map(" ".join))
def test_plain_fields_mean_what_croniter_expands_them_to(text: str) -> None:
    schedule = five_fields(text)
    ours = (schedule.minutes, schedule.hours, schedule.days, schedule.months, schedule.weekdays)
    theirs = croniter(text).expanded
    for field, values, expanded in zip(FIELDS, ours, theirs, strict=True):
        full = set(range(field.low, field.high + 1))
        assert values == (full if "*" in expanded else {int(value) for value in expanded})


@settings(max_examples=200)
@given(st.tuples(*EXTRA_FIELDS).map(" ".join), st.text(max_size=5))
def test_printed_and_parsed_again_it_is_the_same_object(text: str, job: str) -> None:
    schedule = expression.parse(text, job=job)
    assert expression.parse(expression.to_text(schedule)) is schedule


@given(st.integers(1, 5_000_000))
def test_an_interval_is_printed_and_parsed_again(minutes: int) -> None:
    assert expression.parse(expression.to_text(Every(minutes))) == Every(minutes)


ALMOST = st.text(alphabet="0123456789*/-,~#LHhl()@? \tmonfrija.", max_size=20)


@settings(max_examples=300)
@given(ALMOST | st.text(max_size=20) | st.lists(ALMOST, min_size=5, max_size=5).map(" ".join))
def test_no_text_is_more_than_refused(text: str) -> None:
    try:
        schedule = expression.parse(text, job=text, salt=text)
    except BadValue as error:
        offset = error.offset
    else:
        offset = 0
        assert expression.parse(expression.to_text(schedule)) == schedule
    assert 0 <= offset <= len(text)


@pytest.mark.slow
def test_a_megabyte_of_text_is_judged_in_no_time() -> None:
    with pytest.raises(BadValue):
        expression.parse("1," * 250_000 + " * * * *")
    with pytest.raises(BadValue):
        expression.parse("1" * 1_000_000 + " * * * *")
    with pytest.raises(BadValue):
        expression.parse("* " * 250_000)


# --- sharing -------------------------------------------------------------------------------------


def test_equal_expressions_are_one_object() -> None:
    assert expression.parse("0 7 * * 1-5") is expression.parse("00  07\t* * mon-FRI", job="other")
    assert expression.parse("@every 60m") is expression.parse("@every 1h")
    assert expression.parse("@reboot") is expression.parse("@Reboot")


def test_equal_fields_are_one_set() -> None:
    first, second = five_fields("0 7 * * 1-5"), five_fields("1 8 * * mon-fri")
    assert first.weekdays is second.weekdays
    assert first.days is second.days
