"""The name of a schedule in, the five fields that it stands for out, or what to write instead.

The names that crontab(5) knows; the others are told what says the same.
"""

from __future__ import annotations

import re
from functools import lru_cache

from scheduler.suggestions import nearest

FIELDS_OF = {
    "@yearly": "0 0 1 1 *",
    "@annually": "0 0 1 1 *",
    "@monthly": "0 0 1 * *",
    "@weekly": "0 0 * * 0",
    "@daily": "0 0 * * *",
    "@midnight": "0 0 * * *",
    "@hourly": "0 * * * *",
}
KNOWN = (*FIELDS_OF, "@reboot", "@every 90m")

_TWO_WEEKS = "@every 14d, or 0 0 1,15 * * for twice a month"
# Names that no cron knows, and what says the same; without `@every_` and the like.
_MEANT = {
    ("minutely", "minute", "minutes"): "* * * * *",
    ("hour", "hours"): "@hourly",
    ("day", "days", "nightly", "night"): "@daily",
    ("week", "weeks"): "@weekly",
    ("month", "months"): "@monthly",
    ("year", "years", "annual", "annum"): "@yearly",
    ("noon", "midday"): "0 12 * * *",
    ("twicedaily", "semidaily"): "0 0,12 * * *",
    ("weekdays", "weekday", "workdays", "workday", "businessdays"): "0 0 * * 1-5",
    ("weekends", "weekend"): "0 0 * * 0,6",
    ("twiceweekly", "semiweekly"): "0 0 * * 1,4",
    ("fortnightly", "fortnight", "biweekly", "2weeks", "2w"): _TWO_WEEKS,
    ("semimonthly", "twicemonthly"): "0 0 1,15 * *",
    ("bimonthly", "2months"): "0 0 1 */2 *",
    ("quarterly", "quarter"): "0 0 1 1,4,7,10 *",
    ("semiannually", "semiannual", "biannually", "semiyearly", "halfyearly"): "0 0 1 1,7 *",
    ("sunday", "sundays"): "0 0 * * 0",
    ("monday", "mondays"): "0 0 * * 1",
    ("tuesday", "tuesdays"): "0 0 * * 2",
    ("wednesday", "wednesdays"): "0 0 * * 3",
    ("thursday", "thursdays"): "0 0 * * 4",
    ("friday", "fridays"): "0 0 * * 5",
    ("saturday", "saturdays"): "0 0 * * 6",
    ("boot", "onboot", "startup", "start", "restart"): "@reboot",
}
_WRITE = {name: text for names, text in _MEANT.items() for name in names}
_WRITE |= {name[1:]: name for name in (*FIELDS_OF, "@reboot")}
_SECONDS = frozenset({"secondly", "second", "seconds"})
_EVERY_NAME = re.compile(r"([0-9]+)(m|h|d)(?:in|ins|inutes?|ours?|ays?)?")
_COMPARED = 20  # letters of a name that is compared with others

_FIRST_WORDS = frozenset({*FIELDS_OF, "@reboot", "@every"})


def is_known(name: str) -> bool:
    """Say whether a schedule may begin with this word, in letters of either case."""
    return name.lower() in _FIRST_WORDS


@lru_cache(maxsize=256)
def is_near(name: str) -> bool:
    """Say whether a word is so near a known one that it is hardly anything else."""
    return hint(name).startswith("write ")


def hint(name: str) -> str:
    """Return what to write for a name that is none: what says the same, or all that there are.

    A name that is only near a known one is a misspelling where few letters differ.
    """
    bare = re.sub(r"[^a-z0-9]", "", name.lower())[:_COMPARED]
    meant = bare.removeprefix("every")
    if same := _WRITE.get(bare) or _WRITE.get(meant):
        return f"write {same}"
    if found := _EVERY_NAME.fullmatch(meant):
        return f"write @every {found[1]}{found[2]}"
    if near := nearest(bare, _WRITE, alike=0.8):
        return f"write {_WRITE[near[0]]}"
    tick = "nothing runs more often than once a minute; " if bare in _SECONDS else ""
    return f"{tick}known are {', '.join(KNOWN)}"
