"""CRON_ALERT and its templates: who is told of what, which words are refused, where, and why."""

from __future__ import annotations

from zoneinfo import ZoneInfo

import pytest
from hypothesis import given
from hypothesis import strategies as st

from scheduler.crontab import alert_values, parser
from scheduler.entry import AlertRule, Severity
from scheduler.errors import BadValue

GOOD = [
    # text, what it says, reason
    ("desktop", AlertRule(("desktop",)), "one target"),
    ("none", AlertRule(), "nobody"),
    ("mail", AlertRule(("mail",)), "to MAILTO"),
    (
        "desktop, mail:ops@example.com after 3 missed slow",
        AlertRule(("desktop", "mail:ops@example.com"), 3, missed=True, slow=True),
        "targets and options",
    ),
    ("slow,after,3,desktop", AlertRule(("desktop",), 3, slow=True), "in any order, without blanks"),
    ("@team missed", AlertRule(("@team",), missed=True), "a file of addresses"),
    ("ntfys://ntfy.sh/topic", AlertRule(("ntfys://ntfy.sh/topic",)), "any scheme"),
    ("mail:root", AlertRule(("mail:root",)), "a user of this machine"),
    ("mail:a_b+c.d@e-f.org", AlertRule(("mail:a_b+c.d@e-f.org",)), "all of an address"),
    ("| /bin/tell --loud", AlertRule(("|/bin/tell --loud",)), "a command"),
    ("|tell 'a, b' | cat", AlertRule(("|tell 'a, b' | cat",)), "is the rest of the line"),
    ("desktop, missed, | tell", AlertRule(("desktop", "|tell"), missed=True), "behind the others"),
    ("slack://a|b/c", AlertRule(("slack://a|b/c",)), "a bar inside a word is no command"),
    ("desktop desktop mail", AlertRule(("desktop", "mail")), "told once"),
    ("desktop after 1000", AlertRule(("desktop",), 1000), "the longest streak"),
]


@pytest.mark.parametrize(("text", "rule", "reason"), GOOD, ids=[row[0] for row in GOOD])
def test_an_alert_says_who_is_told_of_what(text: str, rule: AlertRule, reason: str) -> None:
    assert alert_values.rule(text) == rule, reason


BAD = [
    # text, where, a word of the message and of the hint
    ("dekstop", 0, "'dekstop' is no target", "did you mean desktop?"),
    ("desktop mial", 8, "'mial' is no target", "did you mean mail?"),
    ("desktop mised", 8, "'mised' is no target", "did you mean missed?"),
    ("ops@example.com", 0, "no target", "write mail:ops@example.com"),
    ("/usr/bin/tell", 0, "no target", "| /usr/local/bin/tell"),
    ("mail -s 'it failed' me", 5, "'-s' is no target", "a command stands behind a bar"),
    ("somebody", 0, "no target", "one of desktop, mail, mail:ADDRESS, @name, scheme://…"),
    ("slack://a,b", 10, "'b' is no target", "a comma is %2C"),
    ("slack:T0KEN", 0, "no target", "scheme://"),
    ("ping:https://example.org", 0, "no target", "one of"),
    ("mail:-oQ/tmp", 5, "", "the first one a letter or a digit"),
    ("mail:a;b", 6, "", "commas between addresses"),
    ("desktop mail:", 8, "names no address", "mail:me@example.org"),
    ("desktop mail:a@-b", 13, "", "me@example.org"),
    ("@", 0, "no target", "@name"),
    ("@../secrets", 0, "no target", "@name"),
    ("desktop,,mail", 0, "empty", "leave out the comma"),
    ("desktop after", 8, "'after' says no number", "after 3"),
    ("desktop after 0", 8, "'after 0' says no number", "after 3"),
    ("desktop after three", 8, "'after three' says no number", "after 3"),
    ("desktop after 1001", 8, "from 1 to 1000", "after 3"),
    ("desktop after 2 after 3", 16, "twice", "leave one of them out"),
    ("desktop slow slow", 13, "twice", "leave one of them out"),
    ("none desktop", 0, "is nobody", "leave the others out"),
    ("none | tell", 0, "is nobody", "leave the others out"),
    ("missed", 0, "says nobody", "write missed and a target"),
    ("after 3", 0, "says nobody", "a target"),
    (" ", 0, "empty", ""),
    ("desktop |", 8, "no command behind |", "| /usr/local/bin/tell"),
    ("desktop\x1b[2J", 7, "shown", "leave it out"),
    ("| tell \udce9", 7, "shown", "leave it out"),
    ("mail:a@b\u202e", 8, "shown", "leave it out"),
]


@pytest.mark.parametrize(("text", "at", "said", "hint"), BAD, ids=[repr(row[0]) for row in BAD])
def test_a_word_that_nobody_knows_is_pointed_at(text: str, at: int, said: str, hint: str) -> None:
    with pytest.raises(BadValue) as caught:
        alert_values.rule(text)
    assert caught.value.offset == at
    assert said in caught.value.message
    assert hint in caught.value.hint
    assert f"{caught.value.message}{caught.value.hint}".isprintable()


@given(st.text(st.characters(codec="utf-8"), max_size=40))
def test_any_other_text_is_a_rule_or_refused(text: str) -> None:
    try:
        targets, at = alert_values.rule(text).targets, 0
    except BadValue as bad:
        targets, at = (), bad.offset
    assert all(target.replace("\t", "").isprintable() for target in targets)
    assert 0 <= at <= len(text)


def test_no_key_of_an_address_is_in_a_message() -> None:
    with pytest.raises(BadValue) as caught:
        alert_values.rule("slack://T0KEN/T0KEN2:// ; after slack://T0KEN")
    assert "T0KEN" not in caught.value.message + caught.value.hint


TEMPLATES = [
    # text, where it is wrong (None: nowhere), reason
    ("{job} on {host}: {outcome}, {count} times since {since}", None, "names"),
    ("", None, "Meridian's own words"),
    ('{"text": "{job} {outcome}"}', None, "JSON: the braces outside stay"),
    ("a { b } c {job}", 2, "a blank beside a name is no name"),
    ("{jobb}", 0, "a slip"),
    ("is {job.name}", 3, "no attributes"),
    ("{count:03}", 0, "no formats"),
    ("costs ${HOME}", 7, "no variables"),
    ("\x07{job}", 0, "a control character"),
    (r"{job}\n{output}", None, "a new line"),
]


@pytest.mark.parametrize(("text", "at", "reason"), TEMPLATES, ids=[repr(row[0]) for row in TEMPLATES])  # fmt: skip
def test_a_template_names_what_there_is(text: str, at: int | None, reason: str) -> None:
    if at is None:
        assert alert_values.template(text) == text, reason
        return
    with pytest.raises(BadValue) as caught:
        alert_values.template(text)
    assert caught.value.offset == at, reason


def test_an_unknown_name_is_told_the_known_ones() -> None:
    with pytest.raises(BadValue) as caught:
        alert_values.template("{jobs} failed")
    assert caught.value.message == "'{jobs}' is no name of a template"
    assert caught.value.hint.startswith("did you mean {job}? the names are job kind outcome")


UNHEARD = [
    # crontab, the warnings, reason
    ("CRON_EXPECT=2h\n@daily x\n", ["2:1 CRON_EXPECT"], "nobody is told"),
    ("CRON_EXPECT=2h\n@daily x\n@daily y\n", ["2:1 CRON_EXPECT"], "said once"),
    ("CRON_ALERT=none\nCRON_EXPECT=2h\n@daily x\n", ["3:1 CRON_EXPECT"], "nobody, by name"),
    ("CRON_ALERT=desktop\nCRON_EXPECT=2h\n@daily x\n", [], "the desktop hears"),
    ("MAILTO=ops\nCRON_EXPECT=2h\n@daily x\n", [], "mail hears"),
    ("MAILTO=;\nCRON_EXPECT=2h\n@daily x\n", ["3:1 CRON_EXPECT"], "no address that is good"),
    ("MAILTO=ops\nCRON_ALERT_TEXT={job}\n@daily x\n", ["3:1 CRON_ALERT_TEXT"], "mail of an output has no template"),
    ("CRON_ALERT_SUBJECT=x\nCRON_ALERT_TEXT=y\n@daily x\n", ["3:1 CRON_ALERT_SUBJECT", "3:1 CRON_ALERT_TEXT"], "each"),
    ("@daily x\n", [], "nothing is set"),
]  # fmt: skip


@pytest.mark.parametrize(("text", "said", "reason"), UNHEARD, ids=[row[2] for row in UNHEARD])
def test_a_setting_by_which_nobody_is_told_is_warned_of(
    text: str, said: list[str], reason: str
) -> None:
    table = parser.parse(text.encode(), file="crontab", zone=ZoneInfo("UTC"))
    found = [each for each in table.problems if each.code == "nobody-hears"]
    assert [f"{each.line}:{each.column} {each.message.split()[0]}" for each in found] == said, (
        reason
    )
    assert all(each.severity is Severity.WARNING for each in found)
    assert table.entries
