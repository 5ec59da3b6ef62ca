"""CRON_ settings: what each value means, which are refused and where, and what is shared."""

from __future__ import annotations

from datetime import date
from zoneinfo import ZoneInfo

import pytest
import writing
from hypothesis import given
from hypothesis import strategies as st
from setting_ranges import RANGES

from scheduler.crontab import settings
from scheduler.day_rules import DayMove
from scheduler.entry import AlertRule, Catchup, Overlap, Pool, RetryPolicy, Settings
from scheduler.errors import BadValue

GOOD = [
    # name, text, value, reason
    ("CRON_TZ", "Europe/Berlin", "Europe/Berlin", "an IANA name"),
    ("CRON_TZ", "UTC", "UTC", "which is one too"),
    (
        "CRON_TZ",
        "America/Argentina/Buenos_Aires",
        "America/Argentina/Buenos_Aires",
        "three parts",
    ),
    ("CRON_NAME", "nightly.backup_2-x", "nightly.backup_2-x", "every sign that a name may have"),
    ("CRON_NAME", "a" * 100, "a" * 100, "the longest"),
    ("CRON_RETRIES", "0", 0, "nought is a value, not the default"),
    ("CRON_RETRIES", "12", 12, "a number"),
    ("CRON_RETRY_DELAY", "0", 0.0, "at once"),
    ("CRON_RETRY_DELAY", "1m30s", 90.0, "a duration"),
    ("CRON_RETRY_FACTOR", "1", 1.0, "a constant wait"),
    ("CRON_RETRY_FACTOR", "1.5", 1.5, "a slow growth"),
    ("CRON_RETRY_MAX_DELAY", "1h", 3600.0, "a duration"),
    ("CRON_RETRY_JITTER", "0", 0.0, "none"),
    ("CRON_RETRY_JITTER", "1", 1.0, "all of it"),
    ("CRON_RETRY_WITHIN", "2h", 7200.0, "a duration"),
    (
        "CRON_RETRY_ON",
        "75,80-82,signal",
        frozenset({75, 80, 81, 82, "signal"}),
        "codes, a range, a word",
    ),
    ("CRON_RETRY_ON", "timeout start", frozenset({"timeout", "start"}), "blanks part too"),
    ("CRON_NO_RETRY_ON", "1, 2", frozenset({1, 2}), "a comma with a blank"),
    ("CRON_SUCCESS", "0,24", frozenset({0, 24}), "rsync's vanished files"),
    ("CRON_SUCCESS", "0-255", frozenset(range(256)), "anything goes"),
    ("CRON_TIMEOUT", "45", 45.0, "a bare number is seconds"),
    ("CRON_KILL_AFTER", "0", 0.0, "KILL right after TERM"),
    ("CRON_OVERLAP", "queue", Overlap.QUEUE, "a word"),
    ("CRON_CATCHUP", "latest", Catchup.LATEST, "a word"),
    ("CRON_CATCHUP_LIMIT", "50000", 50_000, "more than the default"),
    ("CRON_WITHIN", "1d", 86400.0, "a duration"),
    ("CRON_SPREAD", "0", 0.0, "none"),
    ("CRON_POOL", "db", Pool("db"), "a pool whose limit others say"),
    ("CRON_POOL", "db:2", Pool("db", 2), "a pool and its limit"),
    ("CRON_MEMORY", "512M", 2**29, "a size"),
    ("CRON_MEMORY", "999999999T", 999_999_999 * 2**40, "more than there is"),
    ("CRON_CPU", "10m", 600.0, "a duration"),
    ("CRON_CPU", "0.5", 0.5, "part of a second"),
    ("CRON_NICE", "-5", -5, "less nice than others"),
    ("CRON_NICE", "0", 0, "nought is a value, not the default"),
    ("CRON_ALERT", "desktop", AlertRule(("desktop",)), "more of it in test_alert_values"),
    ("CRON_ALERT_SUBJECT", "{job} failed", "{job} failed", "a name"),
    ("CRON_ALERT_TEXT", "{outcome}\\n{output}", "{outcome}\\n{output}", "a new line"),
    ("CRON_EXPECT", "26h", 93600.0, "a duration"),
    ("CRON_PING", "https://example.org/ping/1", "https://example.org/ping/1", "a URL"),
    ("CRON_PING", "http://[::1]:8000/x?a=b", "http://[::1]:8000/x?a=b", "a URL with all there is"),
    ("CRON_FROM", "2027-01-01", date(2027, 1, 1), "a date"),
    ("CRON_UNTIL", "2028-02-29", date(2028, 2, 29), "a leap day"),
    ("CRON_EXCEPT_MOVE", "next", DayMove.NEXT, "a word"),
]


@pytest.mark.parametrize(
    ("name", "text", "value", "reason"), GOOD, ids=[f"{n}={t[:40]}" for n, t, *_ in GOOD]
)
def test_a_good_value_is_read(name: str, text: str, value: object, reason: str) -> None:
    found = settings.read(name, text)  # a zone by its name: it is read anew when its file changes
    assert (found.key if isinstance(found, ZoneInfo) else found) == value, reason


BAD = [
    # name, text, code, offset, reason
    ("CRON_TZ", "Mars/Olympus", "unknown-zone", 0, "no such place"),
    ("CRON_CATCHUP_LIMIT", "0", "bad-number", 0, "that is CRON_CATCHUP=none"),
    ("CRON_TZ", "europe/berlin", "unknown-zone", 0, "names are spelt as they are, on every disk"),
    ("CRON_TZ", "../../etc/passwd", "unknown-zone", 0, "a way out of the zone folder"),
    ("CRON_TZ", "/etc/localtime", "unknown-zone", 0, "a file"),
    ("CRON_TZ", "localtime", "unknown-zone", 0, "the machine's zone has a name"),
    ("CRON_TZ", "posixrules", "unknown-zone", 0, "not a place"),
    ("CRON_TZ", "Factory", "unknown-zone", 0, "says that no zone was chosen"),
    ("CRON_TZ", "America", "unknown-zone", 0, "a folder of zones"),
    ("CRON_TZ", "Europe/Berlin/", "unknown-zone", 0, "no zone is a folder"),
    ("CRON_TZ", " ", "unknown-zone", 0, "a blank from inside quotes"),
    ("CRON_NAME", "-x", "bad-job-name", 0, "would be read as an option"),
    ("CRON_NAME", "a/b", "bad-job-name", 0, "names are folders"),
    ("CRON_NAME", "..", "bad-job-name", 0, "and not the one above"),
    ("CRON_NAME", "a b", "bad-job-name", 0, "a blank"),
    ("CRON_NAME", "naïve", "bad-job-name", 0, "plain letters only"),
    ("CRON_NAME", "a" * 101, "bad-job-name", 0, "too long"),
    ("CRON_NAME", "42", "bad-job-name", 0, "runs are called by numbers"),
    ("CRON_RETRIES", "-1", "bad-number", 0, "below nought"),
    ("CRON_RETRIES", "1.5", "bad-number", 0, "no whole number"),
    ("CRON_RETRIES", "many", "bad-number", 0, "no number"),
    ("CRON_RETRIES", "٣", "bad-number", 0, "digits are 0-9"),
    ("CRON_RETRIES", "9" * 5000, "bad-number", 0, "more digits than Python reads"),
    ("CRON_RETRY_DELAY", "soon", "bad-duration", 0, "no duration"),
    ("CRON_RETRY_DELAY", "-5s", "bad-duration", 0, "backwards"),
    ("CRON_RETRY_FACTOR", "0.5", "bad-number", 0, "waits would shrink"),
    ("CRON_RETRY_FACTOR", "inf", "bad-number", 0, "no number to wait for"),
    ("CRON_RETRY_FACTOR", "nan", "bad-number", 0, "no number at all"),
    ("CRON_RETRY_FACTOR", "1e2", "bad-number", 0, "plain numbers only"),
    ("CRON_RETRY_JITTER", "1.1", "bad-number", 0, "more than all of it"),
    ("CRON_RETRY_JITTER", "10%", "bad-number", 0, "a fraction is meant"),
    ("CRON_RETRY_ON", "1,256", "bad-codes", 2, "codes end at 255"),
    ("CRON_RETRY_ON", "5-3", "bad-codes", 0, "a range that ends before it starts"),
    ("CRON_RETRY_ON", "1, lost", "bad-codes", 3, "no such ending"),
    ("CRON_RETRY_ON", "1,,2", "empty-item", 0, "nothing between two commas"),
    ("CRON_RETRY_ON", ",", "empty-item", 0, "nothing at all"),
    ("CRON_SUCCESS", "timeout", "bad-codes", 0, "a timeout is no success"),
    ("CRON_TIMEOUT", "0", "bad-duration", 0, "no time to run in"),
    ("CRON_OVERLAP", "Skip", "bad-choice", 0, "words are spelt as they are"),
    ("CRON_OVERLAP", "wait", "bad-choice", 0, "no such choice"),
    ("CRON_CATCHUP", "some", "bad-choice", 0, "no such choice"),
    ("CRON_WITHIN", "late", "bad-duration", 0, "no duration"),
    ("CRON_SPREAD", "x", "bad-duration", 0, "no duration"),
    ("CRON_POOL", "a b", "bad-pool", 0, "a name is one word"),
    ("CRON_POOL", "db:0", "bad-pool", 0, "a pool of none"),
    ("CRON_MEMORY", "lots", "bad-size", 0, "no size"),
    ("CRON_MEMORY", "0", "bad-size", 0, "no memory to run in"),
    ("CRON_CPU", "x", "bad-duration", 0, "no duration"),
    ("CRON_CPU", "0", "bad-duration", 0, "no time to run in"),
    ("CRON_NICE", "20", "bad-number", 0, "niceness ends at 19"),
    ("CRON_ALERT", "desktop, dekstop", "bad-alert", 9, "a slip"),
    ("CRON_ALERT_SUBJECT", "of {jobs}", "bad-template", 3, "no such name"),
    ("CRON_ALERT_TEXT", "{}", "bad-template", 0, "no name"),
    ("CRON_EXPECT", "0", "bad-duration", 0, "no time at all"),
    ("CRON_PING", "example.org", "bad-url", 0, "no scheme"),
    ("CRON_PING", "http://[::1", "bad-url", 0, "which urlsplit raises over"),
    ("CRON_PING", "file:///etc/passwd", "bad-url", 0, "no web address"),
    ("CRON_PING", "http://example.org:x/1", "bad-url", 0, "no port"),
    ("CRON_PING", "https://example.org/a b", "bad-url", 0, "a blank is %20"),
    ("CRON_PING", "https://example.org/\x7f", "bad-url", 0, "what nobody sees"),
    ("CRON_PING", "https://example.org/\u00e9", "bad-url", 0, "a letter of UTF-8 is %C3%A9"),
    ("CRON_EXCEPT", "2027-12-24,2027-13-01", "bad-date", 11, "the second is no date"),
    ("CRON_EXCEPT", "2027-12-24..2027-12-01", "bad-date", 0, "ends before it starts"),
    ("CRON_FROM", "20270101", "bad-date", 0, "dates have dashes"),
    ("CRON_UNTIL", "2027-02-29", "bad-date", 0, "no leap year"),
    ("CRON_ONLY", "sat,sometimes", "bad-day", 4, "no such day"),
    ("CRON_EXCEPT_MOVE", "after", "bad-choice", 0, "no such choice"),
]


@pytest.mark.parametrize(
    ("name", "text", "code", "offset", "reason"), BAD, ids=[f"{n}={t[:40]}" for n, t, *_ in BAD]
)
def test_a_bad_value_is_refused(name: str, text: str, code: str, offset: int, reason: str) -> None:
    with pytest.raises(BadValue) as caught:
        settings.read(name, text)
    assert (caught.value.code, caught.value.offset) == (code, offset), reason
    assert caught.value.message.isprintable()
    assert len(caught.value.message) < 200


@pytest.mark.parametrize("name", ["CRON_EXPECT", "CRON_TIMEOUT", "CRON_CPU"])
def test_who_writes_no_time_at_all_is_told_of_the_default(name: str) -> None:
    with pytest.raises(BadValue) as caught:
        settings.read(name, "0")
    assert caught.value.hint == "such as 10m; without a value the setting has its default"


def test_every_setting_of_the_table_is_tried_above() -> None:
    assert {name for name, *_ in GOOD} | {name for name, *_ in BAD} == set(settings.TABLE)


# A number that stands where one of these does; each is refused by every setting of the table.
NO_NUMBERS = ["9" * 23, "9" * 5000, "1e400", "1e-400", "nan", "inf", "1_000", "１２", "³", "٣", "1,000.5", "0x10", "5.", "+-5", "1.2.3", "\udce9"]  # fmt: skip
NO_NUMBER_IN_THEM = {"CRON_TZ", "CRON_NAME", "CRON_OVERLAP", "CRON_CATCHUP", "CRON_ALERT", "CRON_ALERT_SUBJECT", "CRON_ALERT_TEXT", "CRON_PING", "CRON_EXCEPT", "CRON_FROM", "CRON_UNTIL", "CRON_ONLY", "CRON_EXCEPT_MOVE"}  # fmt: skip
EVERY = settings.TABLE | settings.VARIABLES


@pytest.mark.parametrize(("name", "low", "high", "below", "above"), RANGES, ids=[n for n, *_ in RANGES])  # fmt: skip
def test_every_number_of_a_setting_has_a_lowest_and_a_highest(
    name: str, low: str, high: str, below: str, above: str
) -> None:
    for text in (low, high):
        settings.build({name: EVERY[name].read(text)})
    pool = "p:" if name == "CRON_POOL" else ""
    blanks = (
        [" 5", "5\n"] if writing.WRITERS.get(name) != writing.listed else []
    )  # they part a list
    for text in (below, above, *(pool + each for each in (*NO_NUMBERS, *blanks))):
        with pytest.raises(BadValue) as caught:
            EVERY[name].read(text)
        said = f"{caught.value.message}; {caught.value.hint}"
        assert said.isprintable(), text
        assert len(said) < 200, text
        assert "udc" not in said, text


def test_every_setting_that_takes_a_number_has_its_range_above() -> None:
    assert {name for name, *_ in RANGES} == EVERY.keys() - NO_NUMBER_IN_THEM


@pytest.mark.parametrize(
    ("text", "hint"),
    [
        ("Asia/Tokio", "Asia/Tokyo"),
        ("europe/berlin", "Europe/Berlin"),
        ("Berlin", "Europe/Berlin"),
        ("America/New York", "America/New_York"),
    ],
)
def test_an_unknown_zone_comes_with_the_nearest_one(text: str, hint: str) -> None:
    with pytest.raises(BadValue) as caught:
        settings.read("CRON_TZ", text)
    assert caught.value.hint == f"did you mean {hint}?"


def test_sizes_are_powers_of_1024() -> None:
    sizes = {
        text: settings.TABLE["CRON_MEMORY"].read(text) for text in ("1", "2K", "512M", "2G", "3MiB")
    }
    assert sizes == {"1": 1, "2K": 2048, "512M": 2**29, "2G": 2**31, "3MiB": 3 * 2**20}


def test_dates_are_dates() -> None:
    assert settings.TABLE["CRON_FROM"].read("2027-03-28") == date(2027, 3, 28)


def test_the_defaults_are_the_model_s() -> None:
    assert settings.build({}) == Settings()


def test_a_value_goes_to_its_field_and_nought_is_kept() -> None:
    chosen = {"CRON_RETRIES": 0, "CRON_RETRY_JITTER": 0.0, "CRON_SUCCESS": frozenset({3})}
    expected = Settings(retry=RetryPolicy(retries=0, jitter=0.0), success=frozenset({3}))
    assert settings.build(chosen) == expected


def test_equal_settings_are_one_object() -> None:
    one = settings.build({"CRON_RETRIES": 7, "CRON_TIMEOUT": 60.0})
    assert (
        settings.build({"CRON_TIMEOUT": 60.0, "CRON_RETRIES": 7, "CRON_RETRY_DELAY": 30.0}) is one
    )


@pytest.mark.parametrize(
    ("name", "near"),
    [
        ("CRON_RETIRES", "CRON_RETRIES"),
        ("CRON_RETRY", "CRON_RETRIES"),  # not CRON_RETRY_ON, by which 3 is an exit code
        ("CRON_RETRY_COUNT", "CRON_RETRIES"),
        ("CRON_RETRIES_MAX", "CRON_RETRIES"),
        ("CRON_TIMEZONE", "CRON_TZ"),
        ("CRON_ZONE", "CRON_TZ"),
        ("CRON_JITTER", "CRON_RETRY_JITTER"),
        ("CRON_MEM", "CRON_MEMORY"),
        ("CRON_CONCURRENCY", "CRON_OVERLAP"),
        ("CRON_MISFIRE", "CRON_WITHIN"),
        ("CRON_DELAY", "CRON_RETRY_DELAY"),
        ("CRON_TIME_OUT", "CRON_TIMEOUT"),
        ("CRON_RETRY_DELAYS", "CRON_RETRY_DELAY"),
        ("CRON_COLOUR", ""),
    ],
)
def test_a_misspelt_name_has_a_nearest_one_or_none(name: str, near: str) -> None:
    assert settings.nearest(name) == near
    assert not near or near in settings.TABLE


CODES = st.frozensets(st.integers(0, 255), min_size=1, max_size=5)
ENDINGS = st.frozensets(
    st.one_of(st.integers(0, 255), st.sampled_from(["signal", "timeout", "start"])),
    min_size=1,
    max_size=5,
)
SIZES = st.builds(
    lambda count, power: count << 10 * power, st.integers(1, 10**9 - 1), st.integers(0, 4)
)
TIMES = st.integers(0, 10**9).map(lambda thousandths: thousandths / 1000)

POLICIES = st.builds(
    RetryPolicy,
    retries=st.integers(0, 1_000_000),
    delay=TIMES,
    factor=st.integers(1_000, 1_000_000).map(lambda n: n / 1_000),
    max_delay=TIMES,
    jitter=st.integers(0, 10**12).map(lambda n: n / 10**12),
    within=st.one_of(st.none(), TIMES),
    on=st.one_of(st.none(), ENDINGS),
    never_on=st.one_of(st.just(frozenset[int | str]()), ENDINGS),
)
TARGETS = st.lists(
    st.sampled_from(["desktop", "mail", "mail:ops@example.org", "@team", "slack://a/b", "|/bin/x"]),
    min_size=1,
    unique=True,
).map(lambda found: tuple(sorted(found)))  # the command is the last
ALERTS = st.one_of(
    st.just(AlertRule()),
    st.builds(
        AlertRule, TARGETS, after=st.integers(1, 1000), missed=st.booleans(), slow=st.booleans()
    ),
)
SETTINGS = st.builds(
    Settings,
    retry=POLICIES,
    success=CODES,
    timeout=st.one_of(st.none(), TIMES.filter(bool)),
    kill_after=TIMES,
    overlap=st.sampled_from(Overlap),
    pool=st.one_of(
        st.none(), st.builds(Pool, st.just("db"), st.one_of(st.none(), st.integers(1, 9)))
    ),
    memory=st.one_of(st.none(), SIZES),
    cpu=st.one_of(st.none(), TIMES.filter(bool)),
    nice=st.one_of(st.none(), st.integers(-20, 19)),
    alert=st.one_of(st.none(), ALERTS),
    alert_subject=st.sampled_from(["", "{job}:{outcome}"]),
    expect=st.one_of(st.none(), TIMES.filter(bool)),
)


@given(SETTINGS)
def test_written_settings_read_as_the_same(chosen: Settings) -> None:
    texts = tuple(writing.assignments(chosen))
    assert settings.build({name: settings.read(name, text) for name, text in texts}) == chosen
    assert not any(" " in text for _, text in texts), "so that they can stand before a schedule"
