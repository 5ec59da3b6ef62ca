"""MAILTO, MAILFROM and CONTENT_TYPE: who is named, and what `check` says of the rest."""

from __future__ import annotations

import codecs
from zoneinfo import ZoneInfo

import pytest
from hypothesis import given
from hypothesis import strategies as st

from scheduler.crontab import mail_variables, parser
from scheduler.crontab.mail_variables import ContentType
from scheduler.errors import BadValue

KNOWN = {"USER": "amy", "LOGNAME": "amy", "HOSTNAME": "box"}


@pytest.mark.parametrize(
    ("text", "expected", "why"),
    [
        ("root", ["root"], "a local user"),
        ("me@example.org", ["me@example.org"], "an address"),
        ("a@x.org,b@x.org", ["a@x.org", "b@x.org"], "a list with commas"),
        (" a@x.org , b@x.org ", ["a@x.org", "b@x.org"], "blanks round a comma, as people write it"),
        ("a@x.org,,b,", ["a@x.org", "b"], "nothing between two commas"),
        ("a@x.org,a@x.org", ["a@x.org"], "twice is once"),
        ("first.last+cron@sub-1.x.org", ["first.last+cron@sub-1.x.org"], "the signs of an address"),
        ("host!user%other", ["host!user%other"], "older ways, which cron takes"),
        ("ops@my_host", ["ops@my_host"], "a name of a host in one's own network"),
        ("jörg@exämple.org", ["jörg@exämple.org"], "letters beyond ASCII: RFC 6531"),
        ("दीपक@उदाहरण.भारत", ["दीपक@उदाहरण.भारत"], "with the signs that are put on them"),
        ("$USER", ["amy"], "as in cronie"),
        ("cron-${LOGNAME}@$HOSTNAME", ["cron-amy@box"], "in braces too"),
        ("", [], "MAILTO is empty"),
    ],
)  # fmt: skip
def test_mailto_is_a_list_of_addresses(text: str, expected: list[str], why: str) -> None:
    found = mail_variables.addresses(text, KNOWN)
    assert (list(found.good), list(found.bad)) == (expected, []), why


@pytest.mark.parametrize(
    ("text", "good", "column", "why"),
    [
        ("-oQ/tmp", [], 0, "an option of the mailer"),
        ("a@x.org,-bd", ["a@x.org"], 8, "also behind a good one, which still gets its mail"),
        ("a@x.org, |sh ,b", ["a@x.org", "b"], 9, "a command of the mailer's own"),
        ("/dev/null", [], 0, "a file"),
        ("a b", [], 1, "a blank between two"),
        ("a;b", [], 1, "and another sign there"),
        ("Amy <a@x.org>", [], 3, "a name with its address: cron takes none"),
        ("a\tb@x.org", [], 1, "a tab"),
        ("a@x.org\u202e", [], 7, "a sign that shows the text backwards"),
        ("a\x85b", [], 1, "a line end"),
        ("a@x.org:b", [], 7, "a colon begins a group: RFC 5322, 3.4"),
        ("a@b@c", [], 0, "two @"),
        ("a@", [], 0, "no domain"),
        ("a..b@x", [], 0, "nothing between two dots"),
        ("a@x..org", [], 0, "likewise"),
        ("a@-x", [], 0, "no host is called so"),
        (f"{'x' * 65}@x.org", [], 0, "a longer name than SMTP takes"),
        (f"a@{'x.' * 130}org", [], 0, "a longer address"),
        ("a,$HOME@x", ["a"], 2, "a variable that no sender knows"),
        (" , ", [], 0, "nobody at all"),
    ],
)
def test_a_bad_address_is_told_where_and_the_others_count(
    text: str, good: list[str], column: int, why: str
) -> None:
    found = mail_variables.addresses(text, KNOWN)
    assert list(found.good) == good, why
    assert [(bad.code, bad.offset) for bad in found.bad] == [("bad-address", column)], why


@given(st.text(max_size=60))
def test_no_address_has_what_a_mailer_or_a_header_reads_otherwise(text: str) -> None:
    for address in mail_variables.addresses(text, KNOWN).good:
        assert address[0].isalnum()
        assert address.isprintable()
        assert not set(address) & set(" \t\r\n,;:<>()[]\"'\\|/&`$*?{}#=~")


@given(
    st.lists(st.from_regex(r"[a-z][a-z0-9.+-]{0,9}@[a-z]{1,5}\.org", fullmatch=True), max_size=5)
)
def test_each_address_of_a_list_stands_for_itself(parts: list[str]) -> None:
    """Compared with each one alone."""
    together = mail_variables.addresses(", ".join(parts)).good
    alone = [good for part in parts for good in mail_variables.addresses(part).good]
    assert list(together) == list(dict.fromkeys(alone))


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("cron@example.org", "cron@example.org"),
        (" cron ", "cron"),
        ("cron-$USER@x.org", "cron-amy@x.org"),
        ("a,b", 1),
        ("-f", 0),
        (" a b", 2),
    ],
)  # fmt: skip
def test_mailfrom_is_one_address(text: str, expected: str | int) -> None:
    if isinstance(expected, str):
        assert mail_variables.sender(text, KNOWN) == expected
        return
    with pytest.raises(BadValue) as raised:
        mail_variables.sender(text, KNOWN)
    assert (raised.value.code, raised.value.offset) == ("bad-address", expected)
    assert "commas" not in raised.value.hint  # there is one sender


@pytest.mark.parametrize(
    ("text", "expected", "why"),
    [
        ("text/plain", ContentType(), "what it is anyway"),
        ("TEXT/HTML", ContentType(is_html=True), "in any case: RFC 2045, 5.1"),
        ("text/plain; charset=ISO-8859-1", ContentType(charset="iso8859-1"), "Latin-1"),
        ('text/html;charset="UTF-8"', ContentType(is_html=True), "in quotes, with no blank"),
        ("text/plain; format=flowed; charset=koi8-r", ContentType(charset="koi8-r"), "the second"),
        ("text/csv", 0, "no mail that a person reads"),
        ("html", 0, "half of it"),
        ("text/plain; charset=klingon", 11, "no such charset"),
        ("text/plain; charset=hex", 11, "none of text"),
        ("text/plain; charset=idna", 11, "none that anybody writes in"),
        ("text/plain; charset=", 11, "none at all"),
        ("text/plain; charset=a\x00b", 11, "no name"),
    ],
)
def test_a_content_type_is_plain_text_or_html(
    text: str, expected: ContentType | int, why: str
) -> None:
    if isinstance(expected, ContentType):
        assert mail_variables.content_type(text) == expected, why
        return
    with pytest.raises(BadValue) as raised:
        mail_variables.content_type(text)
    assert (raised.value.code, raised.value.offset) == ("bad-content-type", expected), why


@given(st.text(max_size=40))
def test_every_charset_that_is_taken_reads_every_byte(name: str) -> None:
    try:
        found = mail_variables.content_type(f"text/plain; charset={name}")
    except BadValue:
        return
    assert isinstance(bytes(range(256)).decode(found.charset, "backslashreplace"), str)
    assert codecs.lookup(found.charset).name == found.charset


@pytest.mark.parametrize(
    ("line", "found", "message"),
    [
        ("MAILTO=root", [], ""),
        ('MAILTO=""', [], ""),
        ("MAILTO=cron-$USER@example.org", [], ""),
        ("MAILTO=a@x.org, b@x.org", [], ""),
        ("MAILTO=a, |sh, b", [(1, 11)], "no mail goes there"),
        ("MAILTO=/dev/null", [(1, 8)], "no mail goes there"),
        ('MAILTO="a;b"', [(1, 10)], "no mail goes there"),
        ('MAILTO=" "', [(1, 9)], "no address"),
        ("MAILTO=root # me", [(1, 12)], "goes on to the end of the line"),
        ("MAILFROM=cron@example.org", [], ""),
        ("MAILFROM=Cron <c@x.org>", [(1, 14)], "it is the user"),
        ("CONTENT_TYPE=text/html", [], ""),
        ("CONTENT_TYPE=application/json", [(1, 14)], "it is plain text in UTF-8"),
        ("CONTENT_TRANSFER_ENCODING=8bit", [], ""),
        ("CONTENT_TRANSFER_ENCODING=base64", [(1, 27)], "has no effect"),
    ],
)
def test_check_says_which_mail_goes_nowhere(
    line: str, found: list[tuple[int, int]], message: str
) -> None:
    table = parser.parse(f"{line}\n0 9 * * * x\n".encode(), file="a", zone=ZoneInfo("UTC"))
    assert [(each.line, each.column) for each in table.problems] == found
    assert all(message in each.message for each in table.problems)
    assert [each.severity.value for each in table.problems] == ["warning"] * len(found)
    assert len(table.entries) == 1
