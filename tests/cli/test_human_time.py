"""Times that people type: which are read, as which instant, and which are refused and how."""

from __future__ import annotations

from datetime import UTC, datetime, time, timedelta
from zoneinfo import ZoneInfo

import pytest
from hypothesis import given
from hypothesis import strategies as st

from scheduler.cli import human_time
from scheduler.errors import BadValue

BERLIN = ZoneInfo("Europe/Berlin")
NOW = datetime(2027, 3, 24, 9, 15, 30, tzinfo=UTC)  # Wednesday, 10:15:30 in Berlin

READ = [
    # typed, the instant in UTC, why
    ("now", "2027-03-24T09:15:30", "the moment itself"),
    ("2027-03-28", "2027-03-27T23:00:00", "a date is its midnight"),
    ("2027-03-27 09:00", "2027-03-27T08:00:00", "a blank"),
    ("2027-03-27T09:00:07", "2027-03-27T08:00:07", "ISO 8601's T, and seconds"),
    ("2027-03-27t09:00z", "2027-03-27T09:00:00", "RFC 3339 takes small letters too"),
    ("2027-03-27 09:00 +0530", "2027-03-27T03:30:00", "an offset, ISO 8601's basic form"),
    ("2027-03-27T09:00-03", "2027-03-27T12:00:00", "an offset of hours"),
    ("2027-03-27T09:00:00.25Z", "2027-03-27T09:00:00.250000", "a fraction of a second"),
    ("9:00", "2027-03-24T08:00:00", "today, though it is over"),
    ("23:59:59", "2027-03-24T22:59:59", "today, with seconds"),
    ("15:30+05:30", "2027-03-24T10:00:00", "today, by the clock of that offset"),
    ("00:30+14:00", "2027-03-23T10:30:00", "the same, where it is the day after UTC's"),
    ("today", "2027-03-23T23:00:00", "its midnight"),
    ("tomorrow 9:00", "2027-03-25T08:00:00", "the next day"),
    ("Yesterday  09:00", "2027-03-23T08:00:00", "any case, any blanks"),
    ("mon 9:00", "2027-03-29T07:00:00", "the next, already in summer time"),
    ("Friday 18:00", "2027-03-26T17:00:00", "a name in full"),
    ("wed 10:16", "2027-03-24T09:16:00", "still to come today"),
    ("wed 10:15", "2027-03-31T08:15:00", "over today: a week later"),
    ("2h", "2027-03-24T11:15:30", "so long from now"),
    ("1h30m", "2027-03-24T10:45:30", "one of our durations"),
    ("7d", "2027-03-31T09:15:30", "elapsed time: over the change to summer time it is 11:15"),
    ("1.5h", "2027-03-24T10:45:30", "a fraction"),
]  # fmt: skip

READ_BACK = [
    ("2h", "2027-03-24T07:15:30", "so long ago"),
    ("mon 9:00", "2027-03-22T08:00:00", "the last"),
    ("wed 10:15", "2027-03-24T09:15:00", "today, just over"),
    ("wed 10:16", "2027-03-17T09:16:00", "still to come today: a week earlier"),
    ("9:00", "2027-03-24T08:00:00", "a time of today all the same"),
]

REFUSED = [
    # typed, what the hint says, why nobody can tell
    ("30", "a number alone is neither", "of the month, minutes, days?"),
    ("2026", "a number alone is neither", "a year, 20:26?"),
    ("dec", human_time.FORMS, "which of its days?"),
    ("2026-12", human_time.FORMS, "the same"),
    ("12:00 CET", "write the offset from UTC in place of a zone's name: 12:00+01:00", "summer too?"),
    ("2027-01-01 09:00 EST", "2027-01-01 09:00+01:00", "whose?"),
    ("12:00 UTC", "12:00Z", "a zone's name is none of the forms"),
    ("12:00 UTC+2", "12:00+01:00", "ahead for some, behind for POSIX"),
    ("UTC+2", human_time.FORMS, "the same"),
    ("9am", human_time.FORMS, "no form of ISO 8601"),
    ("9:00 am", human_time.FORMS, "the same"),
    ("monday", "add a time of day: monday 9:00", "its midnight, or this time of day?"),
    ("28 March 2027", human_time.FORMS, "a form of some countries"),
    ("03/04/2027", human_time.FORMS, "March or April?"),
    ("11:00 2027-01-01", human_time.FORMS, "the wrong way round"),
    ("20270328", "a number alone is neither", "2,027 and more of what?"),
    ("24:00", human_time.FORMS, "of which day?"),
    ("9:60", human_time.FORMS, "no minute"),
    ("2027-13-01", human_time.FORMS, "no month"),
    ("2027-02-29", human_time.FORMS, "no day of that year"),
    ("tomorrow at 9:00", human_time.FORMS, "more words"),
    ("-2h", human_time.FORMS, "which way?"),
    ("2 h", human_time.FORMS, "durations have no blank"),
    ("soon", human_time.FORMS, "no time at all"),
    ("", human_time.FORMS, "nothing"),
    ("0001-01-01", "end of the calendar", "a day to either side must be a date"),
    ("9999-12-31T00:00Z", "end of the calendar", "the same"),
]  # fmt: skip


def shown(at: datetime) -> str:
    return at.replace(tzinfo=None).isoformat()


@pytest.mark.parametrize(("typed", "at", "why"), READ)
def test_a_time_that_is_clear_is_read(typed: str, at: str, why: str) -> None:
    found = human_time.read(typed, NOW, BERLIN)
    assert (shown(found.at), found.note) == (at, ""), why


@pytest.mark.parametrize(("typed", "at", "why"), READ_BACK)
def test_who_looks_back_means_what_has_been(typed: str, at: str, why: str) -> None:
    assert shown(human_time.read(typed, NOW, BERLIN, looks_back=True).at) == at, why


@pytest.mark.parametrize(("typed", "hint", "why"), REFUSED)
def test_a_time_that_would_be_guessed_is_refused(typed: str, hint: str, why: str) -> None:
    with pytest.raises(BadValue) as refused:
        human_time.read(typed, NOW, BERLIN)
    assert (refused.value.code, "is no time" in refused.value.message) == ("bad-time", True), why
    assert hint in refused.value.hint, why


def test_the_hint_names_forms_that_are_read() -> None:
    for form in human_time.FORMS.removeprefix("write ").replace(" or ", ", ").split(", "):
        assert human_time.read(form, NOW, BERLIN).zone is BERLIN


@pytest.mark.parametrize("typed", ["2027-03-28 02:30", "sun 2:30"])
def test_a_time_in_a_gap_is_one_behind_it_and_said_to_be(typed: str) -> None:
    found = human_time.read(typed, NOW, BERLIN)
    assert shown(found.at) == "2027-03-28T01:30:00"
    assert found.note == "no clock of Europe/Berlin shows 02:30 of 2027-03-28: 03:30 is taken"


@pytest.mark.parametrize("typed", ["2027-10-31 02:30", "sun 2:30"])
def test_a_time_in_an_overlap_is_the_first_and_said_to_be(typed: str) -> None:
    found = human_time.read(typed, datetime(2027, 10, 28, tzinfo=UTC), BERLIN)
    assert shown(found.at) == "2027-10-31T00:30:00"
    assert found.note == (
        "clocks of Europe/Berlin show 02:30 of 2027-10-31 twice: the first is taken,"
        " 2027-10-31T02:30+02:00; the second is 2027-10-31T02:30+01:00"
    )


@pytest.mark.parametrize("typed", ["2027-03-28T02:30+01:00", "2027-10-31T02:30+01:00"])
def test_a_time_with_its_offset_is_clear_in_a_gap_and_an_overlap(typed: str) -> None:
    found = human_time.read(typed, NOW, BERLIN)
    assert found.at == datetime.fromisoformat(typed)
    assert found.note == ""


@given(
    st.datetimes(datetime(1975, 1, 1), datetime(2037, 1, 1), timezones=st.just(UTC)),
    st.sampled_from(["Europe/Berlin", "Pacific/Apia", "Australia/Lord_Howe", "Africa/Casablanca"]),
)
def test_what_is_written_with_its_offset_is_read_as_itself(at: datetime, name: str) -> None:
    local = at.replace(microsecond=0).astimezone(ZoneInfo(name))
    offset = local.utcoffset()
    assert offset is not None
    if not offset % timedelta(minutes=1):
        assert human_time.read(local.isoformat(), NOW, BERLIN).at == local


@given(
    st.datetimes(datetime(1975, 1, 1), datetime(2037, 1, 1), timezones=st.just(UTC)),
    st.integers(0, 6),
    st.times(),
    st.booleans(),
)
def test_a_weekday_is_the_nearest_such_time(
    now: datetime, weekday: int, time: time, looks_back: bool
) -> None:
    """Of all days around it, by brute force."""
    name = ("mon", "tue", "wed", "thu", "fri", "sat", "sun")[weekday]
    found = human_time.read(f"{name} {time:%H:%M}", now, BERLIN, looks_back=looks_back)
    such = [
        at
        for days in range(-9, 10)
        for day in [now.astimezone(BERLIN).date() + timedelta(days=days)]
        for at in [datetime.combine(day, time.replace(second=0, microsecond=0, fold=0), BERLIN)]
        if day.weekday() == weekday
    ]
    earlier = [at for at in such if at.astimezone(UTC) <= now]
    later = [at for at in such if at.astimezone(UTC) > now]
    assert found.at == (max(earlier) if looks_back else min(later)).astimezone(UTC)


@pytest.mark.parametrize(
    ("typed", "hint"), [("90", "90s or 90d?"), ("0", "0s or 0d?"), ("1.5", "1.5s or 1.5d?")]
)
def test_a_length_without_its_unit_is_asked_for_it(typed: str, hint: str) -> None:
    with pytest.raises(BadValue) as refused:
        human_time.length(typed)
    assert refused.value.hint == hint


def test_a_length_with_its_unit_is_seconds() -> None:
    assert human_time.length("90s") == 90
    assert human_time.length("1h30m") == 5400
