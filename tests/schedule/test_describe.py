"""Schedules in words: one row a sentence, with the text that it tells."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from scheduler.schedule import expression
from scheduler.schedule.describe import explain


@pytest.mark.parametrize(
    ("text", "sentence"),
    [
        # The time of day
        ("* * * * *", "every minute"),
        ("*/5 * * * *", "every 5 minutes"),
        ("0-59/30 * * * *", "every 30 minutes"),
        ("0 * * * *", "at minute 0 of every hour"),
        ("@hourly", "at minute 0 of every hour"),
        ("5,35 * * * *", "at minutes 5 and 35 of every hour"),
        ("0-10 * * * *", "at minutes 0 to 10 of every hour"),
        # An honest */7 does not say "every 7 minutes": 56 is followed by 0.
        ("*/7 * * * *", "at minutes 0, 7, 14 and so on to 56 of every hour"),
        ("30 7 * * *", "at 07:30 every day"),
        ("30 7,19 * * *", "at 07:30 and 19:30 every day"),
        ("0,30 8,9 * * *", "at 08:00, 08:30, 09:00 and 09:30 every day"),
        ("0 */5 * * *", "at 00:00, 05:00, 10:00, 15:00 and 20:00 every day"),
        ("0 */2 * * *", "every 2 hours from 00:00 to 22:00 every day"),
        ("15 9-17 * * *", "every hour from 09:15 to 17:15 every day"),
        ("*/5 9-17 * * *", "every 5 minutes from 09:00 to 17:55 every day"),
        ("* 2 * * *", "every minute from 02:00 to 02:59 every day"),
        ("*/15 8,12 * * *", "every 15 minutes of hours 8 and 12 every day"),
        ("5,20,40 1,3,5 * * *", "at minutes 5, 20 and 40 of hours 1, 3 and 5 every day"),
        ("0-10 4 * * *", "at minutes 0 to 10 of hour 4 every day"),
        ("7 0-3,8-11 * * *", "at minute 7 of hours 0 to 3 and 8 to 11 every day"),
        # The day of the week
        ("30 7 * * 1-5", "at 07:30, Monday to Friday"),
        ("30 7 * * fri-sun", "at 07:30, Friday to Sunday"),
        ("@weekly", "at 00:00 on Sunday"),
        ("0 0 * * sat,sun", "at 00:00 on Saturday and Sunday"),
        ("0 0 * * sat-sun,mon", "at 00:00 on Monday, Saturday and Sunday"),
        ("*/5 * * * 1-3,5", "every 5 minutes on Monday to Wednesday and Friday"),
        ("0 0 * * fri#2", "at 00:00 on the second Friday of the month"),
        ("0 0 * * friL", "at 00:00 on the last Friday of the month"),
        ("0 0 * * mon,friL", "at 00:00 on Monday and the last Friday of the month"),
        # The day of the month
        ("@monthly", "at 00:00 on day 1 of the month"),
        ("0 0 1,15 * *", "at 00:00 on days 1 and 15 of the month"),
        ("0 0 1-7 * *", "at 00:00 on days 1 to 7 of the month"),
        ("0 0 */2 * *", "at 00:00 on days 1, 3, 5 and so on to 31 of the month"),
        ("0 0 L * *", "at 00:00 on the last day of the month"),
        ("0 0 15,L * *", "at 00:00 on day 15 and the last day of the month"),
        # Both: the rule is in the words
        ("0 0 13 * 5", "at 00:00 on day 13 of the month or on Friday"),
        ("0 0 13 * 1-5", "at 00:00 on day 13 of the month or on Monday to Friday"),
        ("0 0 1-31 * mon", "at 00:00 on days 1 to 31 of the month or on Monday"),
        (
            "0 0 L * fri#1",
            "at 00:00 on the last day of the month or on the first Friday of the month",
        ),
        (
            "0 0 13 * */3",
            "at 00:00 on day 13 of the month, and only on Wednesday, Saturday and Sunday",
        ),
        ("0 0 */10 * mon", "at 00:00 on days 1, 11, 21 and 31 of the month, and only on Monday"),
        ("0 0 * * */7", "at 00:00 on Sunday"),
        # The month
        ("@yearly", "at 00:00 on day 1 of the month, in January"),
        ("0 9 * jan,jul *", "at 09:00 every day, in January and July"),
        ("*/5 * * 6-8 1-5", "every 5 minutes, Monday to Friday, from June to August"),
        (
            "0 9 1-7 1-3,12 mon",
            "at 09:00 on days 1 to 7 of the month or on Monday, in January to March and December",
        ),
        # No fields
        ("@every 1m", "every minute, counted from the last scheduled time"),
        ("@every 90m", "every 90 minutes, counted from the last scheduled time"),
        ("@every 1h", "every hour, counted from the last scheduled time"),
        ("@every 2h", "every 2 hours, counted from the last scheduled time"),
        ("@every 1d", "every day, counted from the last scheduled time"),
        (
            "@every 1d2h3m",
            "every 1 day, 2 hours and 3 minutes, counted from the last scheduled time",
        ),
        ("@reboot", "once each time the machine starts"),
    ],
)
def test_a_schedule_is_told_in_words(text: str, sentence: str) -> None:
    assert explain(expression.parse(text)) == sentence


@given(
    st.sampled_from(["*", "*/5", "*/7", "0", "1-9", "3,17,40"]),
    st.sampled_from(["*", "*/2", "0", "9-17", "3,17"]),
    st.sampled_from(["*", "*/2", "1", "1-9", "3,17,L", "L"]),
    st.sampled_from(["*", "*/2", "1", "3-9", "3,7"]),
    st.sampled_from(["*", "*/2", "1", "1-5", "3,fri#2", "fri#2", "sunL"]),
)
def test_every_restriction_has_its_words(
    minute: str, hour: str, day: str, month: str, weekday: str
) -> None:
    sentence = explain(expression.parse(f"{minute} {hour} {day} {month} {weekday}"))
    both = day != "*" != weekday
    star = day.startswith("*") or weekday.startswith("*")
    assert (" of the month or on " in sentence) == (both and not star)
    assert (" of the month, and only on " in sentence) == (both and star)
    assert (month != "*") == any(word in sentence for word in (", in ", ", from "))
    assert "  " not in sentence
    assert sentence == sentence.strip()
