"""The schedule language: what each text means, what is refused and what to write instead."""

from __future__ import annotations

import pytest

from scheduler import expression
from scheduler.errors import BadValue
from scheduler.fields import DAY, HOUR, MINUTE, MONTH, WEEKDAY, Field
from scheduler.model import Every, Expression, Reboot


def five_fields(text: str, *, job: str = "job", salt: str = "salt") -> Expression:
    schedule = expression.parse(text, job=job, salt=salt)
    assert isinstance(schedule, Expression)
    return schedule


def alone(field: Field, text: str, *, job: str = "job", salt: str = "salt") -> frozenset[int]:
    """Return what `text` means in `field`, every other field being `*`."""
    words = [text if other is field else "*" for other in (MINUTE, HOUR, DAY, MONTH, WEEKDAY)]
    schedule = five_fields(" ".join(words), job=job, salt=salt)
    return {
        MINUTE: schedule.minutes,
        HOUR: schedule.hours,
        DAY: schedule.days,
        MONTH: schedule.months,
        WEEKDAY: schedule.weekdays,
    }[field]


@pytest.mark.parametrize(
    ("field", "text", "values"),
    [
        (MINUTE, "*", range(60)),
        (MINUTE, "0", {0}),
        (MINUTE, "59", {59}),
        (MINUTE, "007", {7}),  # leading zeros are how people line up columns
        (MINUTE, "1,2,40", {1, 2, 40}),
        (MINUTE, "2,1,2", {1, 2}),
        (MINUTE, "10-12", {10, 11, 12}),
        (MINUTE, "5-5", {5}),  # croniter would have made this every minute
        (MINUTE, "*/20", {0, 20, 40}),
        (MINUTE, "*/7", range(0, 60, 7)),
        (MINUTE, "*/60", {0}),  # exactly as long as the field: once an hour, as it says
        (MINUTE, "10-30/10", {10, 20, 30}),
        (MINUTE, "10-20/30", {10}),  # longer than its range, not than its field
        (MINUTE, "5/20", {5, 25, 45}),  # from 5 to the field's end
        (MINUTE, "5,*/30", {0, 5, 30}),
        (MINUTE, "7,*", range(60)),
        (HOUR, "*", range(24)),
        (HOUR, "22-23,0-2", {22, 23, 0, 1, 2}),
        (HOUR, "*/24", {0}),
        (DAY, "*", range(1, 32)),
        (DAY, "*/10", {1, 11, 21, 31}),
        (DAY, "15,L", {15}),
        (MONTH, "*", range(1, 13)),
        (MONTH, "jan", {1}),
        (MONTH, "MAR-May", {3, 4, 5}),  # names in any case
        (MONTH, "jan-12/6", {1, 7}),
        (MONTH, "nov/1", {11, 12}),
        (WEEKDAY, "*", range(7)),
        (WEEKDAY, "0", {0}),
        (WEEKDAY, "7", {0}),  # both are Sunday
        (WEEKDAY, "sun", {0}),
        (WEEKDAY, "1-5", {1, 2, 3, 4, 5}),
        (WEEKDAY, "Mon-FRI", {1, 2, 3, 4, 5}),
        (WEEKDAY, "fri-sun", {5, 6, 0}),  # a weekday range may end on Sunday
        (WEEKDAY, "5-0", {5, 6, 0}),
        (WEEKDAY, "5-7", {5, 6, 0}),
        (WEEKDAY, "mon-sun/2", {1, 3, 5, 0}),
        (WEEKDAY, "0-7", range(7)),
        (WEEKDAY, "0-0", {0}),
        (WEEKDAY, "7-7", {0}),
        (WEEKDAY, "*/2", {0, 2, 4, 6}),
        (WEEKDAY, "*/7", {0}),
        (WEEKDAY, "5/1", {5, 6}),  # the week's end is Saturday where it is not written
        (WEEKDAY, "7/3", {0, 3, 6}),
        (WEEKDAY, "mon,fri#2", {1}),
    ],
)
def test_a_field_names_its_values(field: Field, text: str, values: range | set[int]) -> None:
    assert alone(field, text) == set(values)


def test_a_schedule_without_fields_is_an_interval_or_a_boot() -> None:
    assert expression.parse("@every 90m") == Every(90)
    assert expression.parse("@reboot") == Reboot()


@pytest.mark.parametrize("text", ["", "* * * *", "60 * * * *", "@sometimes", "@every x"])
def test_a_text_that_is_no_schedule_is_refused(text: str) -> None:
    with pytest.raises(BadValue):
        expression.parse(text)
