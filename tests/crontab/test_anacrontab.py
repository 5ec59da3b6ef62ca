"""What an anacrontab means: its jobs, when they are due, and bad lines."""

from __future__ import annotations

from datetime import UTC, date, datetime
from zoneinfo import ZoneInfo

import pytest
from hypothesis import given
from hypothesis import strategies as st

from scheduler.crontab import anacrontab
from scheduler.crontab.anacrontab import AnacronFacts
from scheduler.entry import Crontab, Entry, Expression, Pool, Severity
from scheduler.schedule import day_words
from scheduler.schedule.describe import explain
from scheduler.schedule.search import following

BERLIN = ZoneInfo("Europe/Berlin")
TODAY = date(2027, 3, 10)

DEBIANS = """\
# /etc/anacrontab: configuration file for anacron

SHELL=/bin/sh
PATH=/usr/local/sbin:/usr/local/bin:/sbin:/bin:/usr/sbin:/usr/bin
HOME=/root
LOGNAME=root

# These replace cron's entries
1\t5\tcron.daily\trun-parts --report /etc/cron.daily
7\t10\tcron.weekly\trun-parts --report /etc/cron.weekly
@monthly\t15\tcron.monthly\trun-parts --report /etc/cron.monthly
"""
FEDORAS = """\
SHELL=/bin/sh
PATH=/sbin:/bin:/usr/sbin:/usr/bin
MAILTO=root
RANDOM_DELAY=45
START_HOURS_RANGE=3-22
1   5   cron.daily      nice run-parts /etc/cron.daily
7   25  cron.weekly     nice run-parts /etc/cron.weekly
@monthly 45 cron.monthly  nice run-parts /etc/cron.monthly
"""


def read(text: str | bytes, **ran: str) -> Crontab:
    """Read one; `ran` has the dates of last runs, with _ for the dots of the names."""
    last = {name.replace("_", "."): date.fromisoformat(day) for name, day in ran.items()}
    data = text.encode() if isinstance(text, str) else text
    facts = AnacronFacts(last.get, TODAY)
    return anacrontab.parse(data, file="anacrontab", zone=BERLIN, facts=facts, salt="here")


def one(text: str, **ran: str) -> Entry:
    table = read(text, **ran)
    assert [problem.message for problem in table.problems if problem.severity == "error"] == []
    (entry,) = table.entries
    return entry


def first(entry: Entry, number: int = 1) -> str:
    """When it is due from today on, in its own zone."""
    assert isinstance(entry.schedule, Expression)
    midnight = datetime(2027, 3, 10, tzinfo=BERLIN).astimezone(UTC)
    found = following(entry.schedule, entry.zone, midnight)
    coming = [next(found).at.astimezone(BERLIN) for _ in range(number)]
    return " ".join(f"{at:%m-%d %H:%M}" for at in coming)


def codes(text: str) -> list[tuple[int, int, str]]:
    return [(problem.line, problem.column, problem.code) for problem in read(text).problems]


def test_the_table_that_debian_brings() -> None:
    table = read(DEBIANS, cron_daily="2027-03-10", cron_weekly="2027-03-05")
    assert table.problems == ()
    assert [(each.job, first(each), each.stamp) for each in table.entries] == [
        ("cron.daily", "03-11 07:35", "cron.daily"),
        ("cron.weekly", "03-12 07:40", "cron.weekly"),
        ("cron.monthly", "03-10 07:45", "cron.monthly"),
    ]
    assert {each.user for each in table.entries} == {"root"}
    assert table.entries[0].command == "run-parts --report /etc/cron.daily"
    assert dict(table.entries[0].environment)["HOME"] == "/root"
    assert "LOGNAME" not in dict(table.entries[0].environment)  # every job of root has it


def test_the_table_that_fedora_brings() -> None:
    table = read(FEDORAS, cron_daily="2027-03-09")
    assert [problem for problem in table.problems if problem.severity is Severity.ERROR] == []
    assert [first(each) for each in table.entries] == ["03-10 03:05", "03-10 03:25", "03-10 03:45"]
    assert {each.settings.start_hours for each in table.entries} == {(3, 22)}
    delays = {each.delay for each in table.entries}
    assert len(delays) == 1
    assert 0 <= delays.pop() < 45 * 60


@pytest.mark.parametrize(
    ("line", "ran", "due"),
    [
        pytest.param("1 5 job x", None, "03-10 07:35 03-11 07:35", id="never ran"),
        pytest.param("1 5 job x", "2027-03-10", "03-11 07:35 03-12 07:35", id="ran today"),
        pytest.param("1 5 job x", "2027-02-01", "03-10 07:35 03-11 07:35", id="not for a month"),
        pytest.param("7 5 job x", "2027-03-08", "03-15 07:35 03-22 07:35", id="a week since"),
        pytest.param("7 5 job x", "2027-03-01", "03-10 07:35 03-17 07:35", id="overdue: today"),
        pytest.param("@weekly 5 job x", "2027-03-08", "03-15 07:35 03-22 07:35", id="@weekly"),
        pytest.param("@daily 5 job x", "2027-03-10", "03-11 07:35 03-12 07:35", id="@daily"),
        pytest.param("@monthly 5 job x", "2027-02-28", "03-28 07:35 04-28 07:35", id="@monthly"),
        pytest.param("@monthly 5 job x", "2027-02-20", "03-20 07:35 04-20 07:35", id="28 days"),
        pytest.param("1 90 job x", None, "03-10 09:00 03-11 09:00", id="a delay over the hour"),
        pytest.param("1 9999999999 job x", None, "03-10 23:59 03-11 23:59", id="over the day"),
        pytest.param("0 5 job x", "2027-03-10", "03-11 07:35 03-12 07:35", id="a period of none"),
    ],
)
def test_when_a_job_is_due(line: str, ran: str | None, due: str) -> None:
    last = {} if ran is None else {"job": ran}
    assert first(one(f"{line}\n", **last), 2) == due


@pytest.mark.parametrize(
    ("above", "due"),
    [
        pytest.param("START_HOURS_RANGE=3-22", "03-10 03:05", id="from its first hour on"),
        pytest.param("START_HOURS_RANGE=nonsense", "03-10 07:35", id="a bad value has no effect"),
        pytest.param("PREFERRED_HOUR=12", "03-10 12:05", id="cronie's hour"),
        pytest.param("PREFERRED_HOUR=44", "03-10 07:35", id="an hour that is none"),
    ],
)
def test_what_stands_above_a_job_moves_it(above: str, due: str) -> None:
    table = read(f"{above}\n1 5 job x\n")
    assert first(table.entries[0]) == due


def test_a_job_at_the_clock_change_is_due_once() -> None:
    (entry,) = read("START_HOURS_RANGE=2-22\n1 30 job x\n").entries
    assert isinstance(entry.schedule, Expression)
    for begin, due in [
        (datetime(2027, 3, 27, 12, tzinfo=UTC), "03-28 03:00+0200 03-29 02:30+0200"),
        (datetime(2027, 10, 30, 12, tzinfo=UTC), "10-31 02:30+0200 11-01 02:30+0100"),
    ]:
        found = following(entry.schedule, entry.zone, begin)
        coming = [next(found).at.astimezone(BERLIN) for _ in range(2)]
        assert " ".join(f"{at:%m-%d %H:%M%z}" for at in coming) == due


@pytest.mark.parametrize(
    ("line", "words"),
    [
        pytest.param("1 5 job x", "at 07:35 every day, each day from 2027-03-10 on", id="daily"),
        pytest.param("7 5 job x", "at 07:35 every day, once in 7 days from 2027-03-10 on", id="7"),
        pytest.param("@monthly 5 job x", "once a month from 2027-03-10 on", id="monthly"),
        pytest.param("@yearly 5 job x", "once a year from 2027-03-10 on", id="yearly"),
    ],
)
def test_when_it_is_due_is_said_in_words(line: str, words: str) -> None:
    assert explain(one(f"{line}\n").schedule).endswith(words)


def test_why_it_is_not_due_on_a_day_is_said_in_words() -> None:
    rules = one("7 5 job x\n", job="2027-03-08").schedule.day_rules
    assert rules is not None
    why = day_words.why_not(rules, date(2027, 3, 12), UTC)
    assert why == (
        "it is due, once in 7 days from 2027-03-15 on, by its last run (its stamp of anacron's)"
    )
    assert day_words.why_not(rules, date(2027, 3, 15), UTC) == ""


def test_what_anacron_does_where_no_setting_says_more() -> None:
    entry = one("7 5 job x\n")
    assert entry.settings.retry.retries == 0
    assert entry.settings.within == 7 * 86400
    assert entry.settings.pool == Pool("anacron", 1)


def test_settings_of_a_crontab_are_settings_here() -> None:
    entry = one("CRON_RETRIES=2\nCRON_WITHIN=1h\nCRON_POOL=disk:3\nCRON_TIMEOUT=5m\n1 5 job x\n")
    chosen = entry.settings
    assert (chosen.retry.retries, chosen.within, chosen.timeout) == (2, 3600, 300)
    assert chosen.pool == Pool("disk", 3)


@pytest.mark.parametrize(
    ("line", "command"),
    [
        pytest.param("1 5 job  a  b \t", "a  b", id="blanks inside stay"),
        pytest.param("1 5 job date +%F", "date +%F", id="a percent sign is one"),
        pytest.param("1 5 job -q x", "-q x", id="no flags"),
        pytest.param("1 5 job A=b x", "A=b x", id="a variable of the shell"),
        pytest.param(" \t1\t5\tjob\tx", "x", id="tabs, and blanks in front"),
    ],
)
def test_a_command_is_the_rest_of_its_line(line: str, command: str) -> None:
    entry = one(f"{line}\n")
    assert (entry.command, entry.stdin) == (command, None)


def test_names_that_are_none_for_a_job() -> None:
    table = read("1 5 ümlaut x\n1 5 42 y\n1 5 job z\n1 5 job z\n")
    assert [each.stamp for each in table.entries] == ["ümlaut", "42", "job", "job"]
    assert len({each.job for each in table.entries}) == 4


@pytest.mark.parametrize(
    ("text", "found"),
    [
        pytest.param("1 5 job\n", [(1, 1, "bad-anacron-line")], id="no command"),
        pytest.param("x 5 job x\n", [(1, 1, "bad-anacron-line")], id="no period"),
        pytest.param("1 x job x\n", [(1, 1, "bad-anacron-line")], id="no delay"),
        pytest.param("1 5 a/b x\n", [(1, 1, "bad-anacron-line")], id="a slash: no file's name"),
        pytest.param(
            "0 9 * * * x\n1 5 a x\n",
            [(1, 1, "no-period")],
            id="a line of a crontab: a job called *",
        ),
        pytest.param("  @never 5 job x\n", [(1, 3, "bad-period")], id="an unknown word"),
        pytest.param("99999999999 5 job x\n", [(1, 1, "bad-period")], id="more than a life"),
        pytest.param("0 5 job x\n", [(1, 1, "no-period")], id="anacron: at each of its starts"),
        pytest.param("1 990 job x\n", [(1, 1, "late-delay")], id="the day is over before"),
        pytest.param("CRON_RETRIES=x\n1 5 job x\n", [(1, 14, "bad-number")], id="a bad setting"),
    ],
)
def test_what_is_wrong_is_named(text: str, found: list[tuple[int, int, str]]) -> None:
    assert codes(text) == found


def test_a_bad_line_takes_no_good_one_down() -> None:
    table = read("1 5 one x\nnonsense\n7 5 two y\n")
    assert [each.job for each in table.entries] == ["one", "two"]
    assert table.refused == frozenset({2})


@given(st.binary(max_size=200))
def test_no_bytes_make_it_fail(data: bytes) -> None:
    table = read(data)
    assert all(each.command for each in table.entries)
