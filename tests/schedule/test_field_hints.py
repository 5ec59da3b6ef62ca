"""What is wrong with a schedule is told with what to write: the hints that people act on."""

from __future__ import annotations

import re
from datetime import datetime, timedelta
from zoneinfo import ZoneInfo

import pytest

from scheduler.crontab import parser, setting_values
from scheduler.entry import Expression, Problem
from scheduler.errors import BadValue
from scheduler.schedule import expression, nicknames
from scheduler.schedule.field_count import mistake


def problem(line: str, *, system: bool = False) -> Problem:
    (found,) = parser.parse(
        f"{line}\n".encode(), file="tab", zone=ZoneInfo("UTC"), system=system
    ).problems
    return found


# --- names of schedules --------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("name", "write"),
    [
        ("@minutely", "* * * * *"),
        ("@every_minute", "* * * * *"),
        ("@everyMinute", "* * * * *"),
        ("@hour", "@hourly"),
        ("@every_hour", "@hourly"),
        ("@every_day", "@daily"),
        ("@nightly", "@daily"),
        ("@noon", "0 12 * * *"),
        ("@weekdays", "0 0 * * 1-5"),
        ("@workdays", "0 0 * * 1-5"),
        ("@weekends", "0 0 * * 0,6"),
        ("@fortnightly", "@every 14d, or 0 0 1,15 * * for twice a month"),
        ("@biweekly", "@every 14d, or 0 0 1,15 * * for twice a month"),
        ("@bimonthly", "0 0 1 */2 *"),
        ("@quarterly", "0 0 1 1,4,7,10 *"),
        ("@semiannually", "0 0 1 1,7 *"),
        ("@semi-annually", "0 0 1 1,7 *"),
        ("@monday", "0 0 * * 1"),
        ("@boot", "@reboot"),
        ("@every5m", "@every 5m"),
        ("@every_5_minutes", "@every 5m"),
        ("@2hours", "@every 2h"),
        ("@dialy", "@daily"),
        ("@montly", "@monthly"),
        ("@anually", "@annually"),
        ("@fortnighty", "@every 14d, or 0 0 1,15 * * for twice a month"),
    ],
)
def test_a_name_that_no_cron_knows_is_told_what_says_the_same(name: str, write: str) -> None:
    found = problem(f"{name} x")
    assert (found.code, found.hint) == ("bad-nickname", f"write {write}")


def test_what_is_to_be_written_is_a_schedule() -> None:
    for text in {*nicknames.FIELDS_OF.values(), *nicknames._WRITE.values()}:
        for each in text.removesuffix(" for twice a month").split(", or "):
            expression.parse(each)


def test_five_fields_are_read_as_five_fields() -> None:
    for fields in nicknames.FIELDS_OF.values():
        assert isinstance(expression.parse(fields), Expression)


@pytest.mark.parametrize("name", ["@whenever", "@5", "@", "@x" * 1000])
def test_any_other_name_is_told_all_that_there_are(name: str) -> None:
    known = "@yearly, @annually, @monthly, @weekly, @daily, @midnight, @hourly, @reboot, @every 90m"
    assert nicknames.hint(name) == f"known are {known}"


def test_a_second_is_told_that_the_tick_is_a_minute() -> None:
    assert nicknames.hint("@secondly").startswith("nothing runs more often than once a minute;")


# --- blanks and numbers of fields ----------------------------------------------------------------


@pytest.mark.parametrize(
    ("line", "column", "write"),
    [
        ("* /5 * * * * x", 2, "*/5 * * * *"),
        ("*/ 5 * * * * x", 3, "*/5 * * * *"),
        ("* / 5 * * * * x", 2, "*/5 * * * *"),
        ("0 1 - 5 * * * x", 4, "0 1-5 * * *"),
        ("0 1- 5 * * * x", 5, "0 1-5 * * *"),
        ("0 1 -5 * * * x", 4, "0 1-5 * * *"),
        ("0 9, 17 * * * x", 5, "0 9,17 * * *"),
        ("0 9 , 17 * * * x", 4, "0 9,17 * * *"),
        ("0 9 * * mon, fri x", 13, "0 9 * * mon,fri"),
        ("0, 30 9, 17 * * * /bin/x", 3, "0,30 9,17 * * *"),
        ("CRON_RETRIES=1 */ 5 * * * * x", 18, "*/5 * * * *"),
    ],
)
def test_a_blank_inside_a_field_is_pointed_at(line: str, column: int, write: str) -> None:
    found = problem(line)
    assert (found.code, found.column, found.hint) == ("blank-in-field", column, f"write {write}")


def test_a_range_that_is_cut_off_by_a_blank_is_warned_about() -> None:
    """Cron would run `- fri x`, and so do we."""
    found = problem("0 9 * * mon - fri x")
    assert (found.code, found.column) == ("blank-in-field", 13)
    assert found.hint == "a range has no blanks in it: write mon-fri"


@pytest.mark.parametrize(
    ("text", "reason"),
    [
        ("0 25 * * * /5 x", "a command may be called so"),
        ("0 25 * * * -n x", "or be a flag"),
        ("0 25 * * mon - x", "nor is it a range"),
        ("61 * * * * x", "no blank"),
        ("*/ 5 * * * x", "too few fields even so"),
        ("", "nothing"),
        ("@daily - x", "no fields"),
    ],
)
def test_other_blanks_are_none_of_it(text: str, reason: str) -> None:
    assert mistake(text) is None, reason


@pytest.mark.parametrize(
    ("line", "write"),
    [
        ("0 0 12 * * ? 2027 x", "0 12 * * *"),
        ("0 */5 * * * * * x", "*/5 * * * *"),
        ("0 0 12 1 1 ? 2027-2029 x", "0 12 1 1 *"),
    ],
)
def test_seven_fields_are_told_which_five_to_keep(line: str, write: str) -> None:
    found = problem(line)
    assert found.message == (
        "seven fields, and a schedule has five: leave out the seconds and the year"
    )
    assert found.hint == f"write {write}"


def test_a_long_line_is_looked_at_in_no_time() -> None:
    assert mistake("0 , " * 100_000) is None


@pytest.mark.parametrize(
    ("line", "write"),
    [
        ("@every 5 minutes x", "@every 5m"),
        ("@every 60 minutes x", "@every 60m"),  # or else each minute: a bare number is seconds
        ("@every 120 min x", "@every 120m"),
        ("@every 2 hours x", "@every 2h"),
        ("@every 3600 h x", "@every 3600h"),
        ("@every 2 weeks x", "@every 14d"),
        ("@every 5min x", "@every 5m"),
        ("@every 2hours x", "@every 2h"),
    ],
)
def test_an_interval_in_words_is_told_how_to_write_it(line: str, write: str) -> None:
    found = problem(line)
    assert (found.code, found.column, found.hint) == ("bad-duration", 8, f"write {write}")


def test_a_name_between_is_no_unit() -> None:
    table = parser.parse(
        b"@every 300 mail x\n@every 5m minutes x\n", file="x", zone=ZoneInfo("UTC")
    )
    assert [entry.command for entry in table.entries] == ["mail x", "minutes x"]


# --- words ---------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("line", "message", "hint"),
    [
        (
            "0 24 * * * x",
            "'24' is not an hour: those are 0-23",
            "write 0: midnight is the start of a day",
        ),
        ("60 * * * * x", "'60' is not a minute: those are 0-59", "write 0"),
        ("0 x * * * x", "'x' is not an hour", "write 0-23"),
        ("0 0 32 * * x", "'32' is not a day: those are 1-31", ""),
        ("0 0 0 * * x", "'0' is not a day: those are 1-31", "the first is 1"),
    ],
)
def test_what_is_no_value_is_said_in_english(line: str, message: str, hint: str) -> None:
    found = problem(line)
    assert (found.message, found.hint) == (message, hint)


@pytest.mark.parametrize(
    ("line", "hint"),
    [
        ("0 8:30 * * * x", "minute and hour are two fields: 30 8"),
        ("0 8am * * * x", "write 8"),
        ("0 8pm * * * x", "write 20"),
        ("0 12am * * * x", "write 0"),
        ("0 12pm * * * x", "write 12"),
        ("0 9-17h * * * x", "write 9-17, without a unit"),
        ("*/5m * * * * x", "write */5, without a unit"),
        ("5min * * * * x", "write 5, without a unit"),
        ("0 0 * * 1..5 x", "write 1-5"),
        ("0 0 * * mon:fri x", "write mon-fri"),
        ("0 0 * * mon;fri x", "write mon,fri"),
        ("0 0 * * 1\u20135 x", "write 1-5, with the - of the keyboard"),
        ("*5 * * * * x", "write */5"),
        ("/5 * * * * x", "write */5"),
        ("**/5 * * * * x", "write */5"),
        ("*/*/5 * * * * x", "write */5"),
        ("*/1.5 * * * * x", "write */1"),
        ("5- * * * * x", "write 5"),
        (
            "0 0 15W * * x",
            "no cron knows W, the weekday that is nearest: let the command ask for the date",
        ),
        (
            "0 0 LW * * x",
            "no cron knows W, the weekday that is nearest: let the command ask for the date",
        ),
        ("0 0 * * mon-xyz x", "write sun to sat, or 0-7"),
        ("0 99m * * * x", ""),  # nor is this an hour without its unit
    ],
)
def test_an_item_that_people_write_is_told_what_cron_takes(line: str, hint: str) -> None:
    assert problem(line).hint == hint


def test_a_command_that_is_a_comment_is_pointed_out() -> None:
    found = problem("0 9 * * * # backup")
    assert (found.code, found.column) == ("no-command", 11)


@pytest.mark.parametrize(
    ("zone", "write"),
    [
        ("+02:00", "Etc/GMT-2 for 2 hours ahead of UTC, Etc/GMT+2 for 2 behind it"),
        ("UTC +2", "Etc/GMT-2 for 2 hours ahead of UTC, Etc/GMT+2 for 2 behind it"),
        ("-3", "Etc/GMT-3 for 3 hours ahead of UTC, Etc/GMT+3 for 3 behind it"),
        ("+0530", "<+0530>-5:30 for 5:30 hours ahead of UTC, <-0530>+5:30 for 5:30 behind it"),
    ],
)
def test_an_offset_is_told_which_way_each_sign_goes(zone: str, write: str) -> None:
    found = problem(f"CRON_TZ={zone}")
    assert found.hint == f"write {write}; or a name such as Europe/Berlin"
    for name, hours in re.findall(r"(\S+) for ([0-9:]+) ", write):
        at = datetime(2027, 1, 1, tzinfo=setting_values.zone(name)).utcoffset()
        whole, _, minutes = hours.partition(":")
        size = timedelta(hours=int(whole), minutes=int(minutes or 0))
        assert at == (size if write.startswith(name) else -size)


def test_what_a_hint_says_is_a_schedule() -> None:
    with pytest.raises(BadValue):
        expression.parse("*/ 5 * * * *")
    expression.parse("*/5 * * * *")
