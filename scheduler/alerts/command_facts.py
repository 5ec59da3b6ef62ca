"""A delivery and its message in, what a command of CRON_ALERT gets out. Pure.

The variables tell of the first notice; MERIDIAN_SUBJECT and MERIDIAN_TEXT, and the JSON, of all.
docs/alerts.md has both as tables, for whoever writes such a command: names that stand there stay.
"""

from __future__ import annotations

import json
from dataclasses import dataclass
from typing import TYPE_CHECKING

from scheduler.alerts import notice_lines
from scheduler.codec import stamp

if TYPE_CHECKING:
    from datetime import datetime
    from pathlib import PurePath

    from scheduler.alerts.message_origin import Origin
    from scheduler.alerts.wording import Message
    from scheduler.notice import AttemptFacts, Delivery, Notice

NAME_PREFIX = "MERIDIAN_"
LONGEST_VARIABLE = 30_000  # characters of one variable: Linux takes 128 KiB, execve(2)


@dataclass(frozen=True, slots=True)
class CommandFacts:
    """What there is to tell, and where: outputs of attempts are in the folder `state`."""

    delivery: Delivery
    message: Message
    origin: Origin
    state: PurePath

    def variables(self) -> dict[str, str]:
        """Return the variables, "" for what is not known; times with their zone's offset."""
        first, facts = self.delivery.notices[0], self.delivery.notices[0].facts
        last = facts.attempts[-1] if facts.attempts else None
        told: dict[str, object] = {
            "KIND": first.kind.value,
            "JOB": facts.job,
            "RUN": facts.run,
            "OUTCOME": facts.outcome,
            "REASON": facts.reason,
            "SCHEDULED": notice_lines.stamp(facts.scheduled, facts.zone),
            "AT": notice_lines.stamp(first.at, facts.zone),
            "ATTEMPTS": len(facts.attempts),
            "COUNT": facts.count,
            "SINCE": notice_lines.stamp(facts.since, facts.zone),
            "COMMAND": facts.command,
            "FILE": facts.file,
            "LINE": facts.line,
            "OUTPUT": self._output(last) if last else None,
            "HOST": self.origin.host,
            "USER": self.origin.user,
            "SUBJECT": self.message.subject,
            "TEXT": self.message.text,
            "NOTICES": len(self.delivery.notices),
            "REPEAT": 1 if self.delivery.is_repeat else None,
        }
        return {f"{NAME_PREFIX}{name}": _words(value) for name, value in told.items()}

    def as_json(self) -> bytes:
        """Return all that there is as one object of JSON and a newline; times are in UTC."""
        told = {
            "subject": self.message.subject,
            "text": self.message.text,
            "host": self.origin.host,
            "user": self.origin.user,
            "repeat": self.delivery.is_repeat,
            "notices": [self._notice(notice) for notice in self.delivery.notices],
        }
        return json.dumps(told).encode() + b"\n"

    def _notice(self, notice: Notice) -> dict[str, object]:
        facts = notice.facts
        return {
            "kind": notice.kind.value,
            "at": stamp(notice.at),
            "job": facts.job,
            "run": facts.run,
            "scheduled": _stamp(facts.scheduled),
            "outcome": facts.outcome,
            "reason": facts.reason,
            "command": facts.command,
            "file": facts.file,
            "line": facts.line,
            "zone": facts.zone,
            "count": facts.count,
            "of": facts.of,
            "since": _stamp(facts.since),
            "took": facts.took,
            "usual": facts.usual,
            "attempts": [self._attempt(attempt) for attempt in facts.attempts],
        }

    def _attempt(self, attempt: AttemptFacts) -> dict[str, object]:
        return {
            "number": attempt.number,
            "outcome": attempt.outcome,
            "started": _stamp(attempt.started),
            "ended": _stamp(attempt.ended),
            "took": attempt.took,
            "output": self._output(attempt),
        }

    def _output(self, attempt: AttemptFacts) -> str | None:
        return str(self.state / attempt.output) if attempt.output else None


def _stamp(at: datetime | None) -> str | None:
    return None if at is None else stamp(at)


def _words(value: object) -> str:
    return "" if value is None else str(value)[:LONGEST_VARIABLE]
