"""A delivery in, the subject and the text that a person gets out. Pure, and no message is endless.

A subject is one line without a control character, so that it may stand in a header (RFC 5322, 2.2).
A text has lines, and nothing in it steers a terminal.
"""

from __future__ import annotations

import re
from collections import Counter
from dataclasses import dataclass
from datetime import UTC
from typing import TYPE_CHECKING

from scheduler.alerts import notice_lines
from scheduler.notice import Kind
from scheduler.printable import clean, screened
from scheduler.text import counted

if TYPE_CHECKING:
    from collections.abc import Sequence

    from scheduler.alerts.message_origin import Origin
    from scheduler.notice import Delivery, Notice

LONGEST_SUBJECT = 200  # characters
LONGEST_SUMMARY = 300
LONGEST_MESSAGE = 20_000
MOST_LISTED = 100  # notices of a delivery that have a line each
_NAMED_JOBS = 3  # in the subject of many notices

REPEATED = "Perhaps a repeat: nobody could tell whether this was sent before."
_FACT = re.compile(r"\{([a-z]+)\}")
# What is said of several notices of a kind, in the order in which it is said.
_SEVERAL = {
    Kind.FAILURE: "failed",
    Kind.SILENT: "without a success",
    Kind.MISSED: "missed",
    Kind.SLOW: "slow",
    Kind.RECOVERY: "recovered",
    Kind.OUTPUT: "with output",
    Kind.PING: "pinged",
}


@dataclass(frozen=True, slots=True)
class Message:
    """What a person gets; `summary` is the text where there is room for a few lines alone."""

    subject: str
    summary: str
    text: str


def message(delivery: Delivery, origin: Origin) -> Message:
    """Return what is said of a delivery: of one notice all, of several a list."""
    if len(delivery.notices) == 1:
        subject, summary, text = _of_one(delivery.notices[0], origin)
    else:
        subject, summary, text = _of_several(delivery.notices, origin)
    if delivery.is_repeat:
        summary, text = f"{REPEATED}\n{summary}", f"{REPEATED}\n\n{text}"
    return Message(
        _cut(clean(subject), LONGEST_SUBJECT),
        _cut(screened(summary).strip("\n"), LONGEST_SUMMARY),
        _cut(screened(text).strip("\n") + "\n", LONGEST_MESSAGE),
    )


def _of_one(notice: Notice, origin: Origin) -> tuple[str, str, str]:
    subject = _headline(notice, origin)
    if notice.text:
        text = _filled(notice.text.replace("\\n", "\n"), notice, origin)
        return subject, text, text
    lines = notice_lines.of_notice(notice)
    head = notice_lines.headline(notice.kind, notice.facts, origin.host)
    text = "\n".join([f"{head}.", *lines])
    if notice.kind is Kind.FAILURE and (output := _output(notice, origin)):
        text += f"\n\nThe end of its output:\n{output}"
    return subject, "\n".join(lines[:3]), text


def _of_several(notices: Sequence[Notice], origin: Origin) -> tuple[str, str, str]:
    kinds = Counter(notice.kind for notice in notices)
    said = [f"{kinds[kind]} {words}" for kind, words in _SEVERAL.items() if kinds[kind]]
    jobs = list(dict.fromkeys(notice.facts.job for notice in notices))
    subject = f"{', '.join(said)} on {origin.host}: {_names(jobs)}"
    told = notices[:MOST_LISTED]
    lines = [f"{_time(notice)}  {_headline(notice, origin, alone=False)}" for notice in told]
    if more := len(notices) - len(told):
        lines.append(f"and {more} more: meridian alerts lists them")
    head = f"{counted(len(notices), 'notice')} of {counted(len(jobs), 'job')} on {origin.host}:"
    look = "Look: meridian status, meridian history, meridian why JOB, meridian logs RUN"
    return subject, "\n".join(lines[:5]), "\n".join([head, "", *lines, "", look])


def _headline(notice: Notice, origin: Origin, *, alone: bool = True) -> str:
    """Return the one line of a notice: the entry's own, else Meridian's."""
    if notice.subject:
        return _filled(notice.subject.replace("\\n", " "), notice, origin)
    return notice_lines.headline(notice.kind, notice.facts, origin.host if alone else "")


def _names(jobs: Sequence[str]) -> str:
    if len(jobs) <= _NAMED_JOBS + 1:
        return ", ".join(jobs)
    return f"{', '.join(jobs[:_NAMED_JOBS])} and {len(jobs) - _NAMED_JOBS} more"


def _time(notice: Notice) -> str:
    return notice_lines.at(notice.at, notice.facts.zone)


# --- templates -----------------------------------------------------------------------------------


def _filled(template: str, notice: Notice, origin: Origin) -> str:
    """Return the template with its facts; what stands in a fact is never a template itself."""
    facts = notice.facts
    values = {
        "job": facts.job,
        "kind": notice.kind.value,
        "outcome": facts.outcome,
        "reason": facts.reason,
        "run": "" if facts.run is None else str(facts.run),
        "attempts": str(len(facts.attempts)),
        "count": str(facts.count),
        "since": notice_lines.stamp(facts.since, facts.zone),
        "scheduled": notice_lines.stamp(facts.scheduled or notice.at.astimezone(UTC), facts.zone),
        "host": origin.host,
        "user": origin.user,
        "command": facts.command,
        "file": facts.file,
        "line": str(facts.line),
    }

    def value(found: re.Match[str]) -> str:
        name = found[1]
        return _output(notice, origin) if name == "output" else values.get(name, found[0])

    return _FACT.sub(value, template)


def _output(notice: Notice, origin: Origin) -> str:
    """Return the end of the last attempt's output, "" where there was none."""
    attempts = notice.facts.attempts
    return origin.output_of(attempts[-1]) if attempts and attempts[-1].output else ""


def _cut(text: str, most: int) -> str:
    return text if len(text) <= most else f"{text[: most - 2].rstrip()} …"
