"""A run that is over in, what a mail of its output says out: as in cron, and what came before.

A run that went well at its first attempt is told as in cron, by its output and nothing else. Any
other begins with what happened, and has the output of its last attempt, then of earlier ones.
"""

from __future__ import annotations

import html
from dataclasses import dataclass
from typing import TYPE_CHECKING

from scheduler.alerts import notice_lines, output_excerpt
from scheduler.alerts.output_excerpt import OutputExcerpt
from scheduler.text import counted

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

    from scheduler.crontab.mail_variables import ContentType
    from scheduler.notice import AttemptFacts, Facts, Notice

MOST_OF_LAST = 60_000  # characters of the last attempt's output
_MOST_OF_EARLIER = 6_000  # of each earlier one that is told
_EARLIER_OUTPUTS = 3  # of the earlier attempts, the newest
_WROTE_NOTHING = "(no output)\n"
_OUTPUT_GONE = "(its output is not kept any more)\n"


@dataclass(frozen=True, slots=True)
class MailBody:
    """What a mail says: `html` is "" unless the crontab asks for it, `text` "" if that is all."""

    text: str
    html: str = ""


def has_failed(facts: Facts) -> bool:
    """Say whether the run failed for good: only such a one has a reason not to be tried again."""
    return bool(facts.reason)


def subject(facts: Facts, user: str, host: str) -> str:
    """Return cron's `Cron <user@host> command`, and in front of the command how a run failed."""
    name = host.partition(".")[0]
    failed = f"failed ({facts.outcome}): " if has_failed(facts) else ""
    return f"Cron <{user}@{name}> {failed}{facts.command}"


def body(notice: Notice, state: Path, content: ContentType) -> MailBody:
    """Return what the mail of one run says; outputs are read from the state folder."""
    facts = notice.facts
    shown = OutputExcerpt("")
    if facts.attempts:
        shown = _excerpt(facts.attempts[-1], MOST_OF_LAST, state, content)
    is_plain_success = not has_failed(facts) and _tried(facts) < 2
    if content.is_html and shown.is_whole and shown.text:
        text = "" if is_plain_success else "".join(_report(notice, state, content, None))
        return MailBody(text, shown.text)
    if is_plain_success:
        return MailBody(f"{_told(shown)}{_where_the_rest_is(facts, shown)}")
    return MailBody("".join(_report(notice, state, content, shown)))


def as_html(text: str) -> str:
    """Return plain text as it is shown in HTML, with nothing in it that acts."""
    return f"<pre>{html.escape(text)}</pre>\n"


def _report(
    notice: Notice, state: Path, content: ContentType, shown: OutputExcerpt | None
) -> Iterator[str]:
    """Yield what happened, then outputs; None for `shown` if the last one is a part of its own."""
    facts = notice.facts
    yield f"{_ending(facts)}\n\n"
    yield from (f"{line}\n" for line in notice_lines.of_notice(notice))
    if shown is not None:
        which = f" of attempt {facts.attempts[-1].number}, the last" if facts.attempts else ""
        yield f"\n--- Output{which} ---\n\n{_told(shown)}{_where_the_rest_is(facts, shown)}"
    for attempt in reversed(facts.attempts[:-1][-_EARLIER_OUTPUTS:]):
        found = _excerpt(attempt, _MOST_OF_EARLIER, state, content)
        if found.text:
            yield f"\n--- Output of attempt {attempt.number} ---\n\n{found.text}"


def _excerpt(attempt: AttemptFacts, most: int, state: Path, content: ContentType) -> OutputExcerpt:
    file = state / attempt.output
    return output_excerpt.excerpt(file, most, content.charset, attempt.secrets)


def _tried(facts: Facts) -> int:
    """Return how many attempts there were; of many, some are left out of the facts."""
    return facts.attempts[-1].number if facts.attempts else 0


def _ending(facts: Facts) -> str:
    tried = counted(_tried(facts), "attempt")
    if has_failed(facts):
        return f"{facts.job} failed: {facts.outcome}, after {tried} ({facts.reason})."
    return f"{facts.job} succeeded after {tried}."


def _told(shown: OutputExcerpt) -> str:
    if not shown.is_kept:
        return _OUTPUT_GONE
    return shown.text or _WROTE_NOTHING


def _where_the_rest_is(facts: Facts, shown: OutputExcerpt) -> str:
    if shown.is_whole or not shown.is_kept or facts.run is None:
        return ""
    return f"\nAll that is kept of it: meridian logs {facts.run}\n"
