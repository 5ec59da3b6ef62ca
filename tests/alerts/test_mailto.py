"""Who gets a mail of a run's output."""

from __future__ import annotations

from dataclasses import replace
from zoneinfo import ZoneInfo

import pytest

from scheduler.alerts import mailto
from scheduler.crontab import parser
from scheduler.entry import AlertRule, Entry


def entry_of(text: str) -> Entry:
    (entry,) = parser.parse(f"{text}\n".encode(), file="a", zone=ZoneInfo("UTC")).entries
    return entry


JOB = "0 9 * * * x"
FAILURES = "0 9 * * * -n x"


@pytest.mark.parametrize(
    ("text", "has_failed", "has_output", "expected", "why"),
    [
        (f"MAILTO=me\n{JOB}", False, True, True, "crontab(5): what it wrote"),
        (f"MAILTO=me\n{JOB}", False, False, False, "it wrote nothing"),
        (f"MAILTO=me\n{JOB}", True, True, True, "it failed"),
        (f"MAILTO=me\n{JOB}", True, False, True, "a failure is told even without a word"),
        (f"MAILTO=me\n{FAILURES}", False, True, False, "OpenBSD's -n: it went well"),
        (f"MAILTO=me\n{FAILURES}", True, True, True, "and it did not"),
        (f"MAILTO=me\n{FAILURES}", True, False, True, "likewise"),
        (JOB, False, True, False, "no MAILTO is nobody, unlike in cron"),
        (JOB, True, True, False, "likewise"),
        (f'MAILTO=""\n{JOB}', True, True, False, "so it is asked for"),
        (f'MAILTO=me\nMAILTO=""\n{JOB}', True, True, False, "for what stands below"),
        (f"MAILTO=-x\n{JOB}", True, True, False, "no address is left"),
        (f"MAILTO=-x,me\n{JOB}", True, True, True, "one is left"),
    ],
)
def test_who_is_mailed_the_output_of_a_run(
    text: str, has_failed: bool, has_output: bool, expected: bool, why: str
) -> None:
    entry = entry_of(text)
    target = mailto.output_target(entry, has_failed=has_failed, has_output=has_output)
    assert target == ("mail:me" if expected else None), why


@pytest.mark.parametrize(
    ("text", "has_failed", "has_output", "expected", "why"),
    [
        (JOB, False, True, "mail", "cron writes to the user of the table"),
        (JOB, True, True, "mail", "likewise"),
        (JOB, True, False, None, "cron mails output and nothing else"),
        (JOB, False, False, None, "likewise"),
        (FAILURES, False, True, None, "cronie's -n"),
        (FAILURES, True, True, "mail", "likewise"),
        (f'MAILTO=""\n{JOB}', True, True, None, "silence is asked for"),
        (f'MAILTO=me\nMAILTO=""\n{JOB}', True, True, None, "for what stands below"),
        (f"MAILTO=me\n{JOB}", False, True, "mail:me", "somebody else"),
        (f"MAILTO=me\n{JOB}", True, False, None, "`test -x … && …` of a package says nothing"),
        (f"MAILTO=-x\n{JOB}", True, True, None, "no address is left: it is not the user, either"),
    ],
)
def test_in_crons_tables_mail_is_as_in_cron(
    text: str, has_failed: bool, has_output: bool, expected: str | None, why: str
) -> None:
    entry = replace(entry_of(text), is_crons=True)
    target = mailto.output_target(entry, has_failed=has_failed, has_output=has_output)
    assert target == expected, why


def test_in_crons_tables_failures_go_by_a_cron_alert_alone_too() -> None:
    entry = entry_of(JOB)
    alert = replace(entry.settings, alert=AlertRule(("desktop",)))
    entry = replace(entry, is_crons=True, settings=alert)
    assert mailto.output_target(entry, has_failed=True, has_output=True) is None
    assert mailto.output_target(entry, has_failed=False, has_output=True) == "mail"


@pytest.mark.parametrize("rule", [AlertRule(), AlertRule(("desktop",))])
def test_with_a_cron_alert_failures_go_by_it_alone(rule: AlertRule) -> None:
    entry = entry_of(f"MAILTO=me\n{JOB}")
    entry = replace(entry, settings=replace(entry.settings, alert=rule))
    assert mailto.output_target(entry, has_failed=True, has_output=True) is None
    assert mailto.output_target(entry, has_failed=False, has_output=True) == "mail:me"


def test_a_notice_gets_what_the_crontab_says_of_mail() -> None:
    text = "MAILTO=a@x.org,b\nMAILFROM=c\nCONTENT_TYPE=text/html\nFOO=bar\n"
    assert mailto.settings_of(entry_of(text + JOB)) == mailto.MailSettings(
        "a@x.org,b", "c", "text/html"
    )
    assert mailto.settings_of(entry_of(JOB)) == mailto.MailSettings()


@pytest.mark.parametrize(
    ("line", "target", "why"),
    [
        ("FOO=bar", "mail", "nobody is named: it is the user"),
        ('MAILTO=""', "mail", "likewise, for a CRON_ALERT that asks for mail all the same"),
        ("MAILTO=b, a@x.org", "mail:b,a@x.org", "as they stand there"),
        ("MAILTO=-x,me,me", "mail:me", "the good ones, each once"),
        ("MAILTO=cron-$USER@x.org", "mail:cron-$USER@x.org", "the sender knows who the user is"),
    ],
)
def test_mail_to_the_same_people_has_the_same_target(line: str, target: str, why: str) -> None:
    assert mailto.target_of(entry_of(f"{line}\n{JOB}")) == target, why
