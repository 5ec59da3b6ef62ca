"""The first `%` of a command: where it was hardly meant to end it, and where it was."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from scheduler.crontab import lexer
from scheduler.crontab.percent import doubt, still_open


def found(text: str) -> str:
    at = lexer.unescaped_percent(text)
    assert at < len(text)
    return doubt(text[:at], text[at + 1 :])


@pytest.mark.parametrize(
    ("text", "reason"),
    [
        ('mail -s "It\'s 10pm" joe%Joe,%%Where are your kids?%', "crontab(5)'s own example"),
        ("cat%", "an empty input"),
        ("cat%a%b", "lines"),
        ("cat % a ", "with blanks"),
        ("mail joe%Hello Joe", "a greeting is no %H"),
        ("mail joe%Yours", "nor %Y"),
        ("node up-date.js%x", "which is not date"),
        ("/srv/update%x", "nor this"),
        ("date%", "date reads nothing, but that is no format"),
        ("date; cat%x", "it is another command's"),
        ("echo \\'; cat%x", "an escaped quote opens nothing"),
        ('echo \\"; cat%x', "of either kind"),
        ("echo 'a\" b'; cat%x", "a quote in quotes opens nothing"),
        ('echo "a\' b"; cat%x', "nor the other way round"),
        ("echo '\\'; cat%x", "a backslash in single quotes is one"),
        ("echo \"$(a 'b')\"; cat%x", "what is closed again"),
        ("echo $((1 + (2 * 3))); cat%x", "arithmetic"),
        ("echo ${A:-b}; cat%x", "a variable"),
        ("(cd /x; y); cat%x", "a subshell"),
        ("echo `a`; cat%x", "backticks"),
        ("cat # it's%x", "a comment"),
        ("sendmail%To: x%%100\\% sure", "escaped in the input"),
        ("at now%50 times", "a number that is no escape"),
    ],
)
def test_a_percent_sign_that_ends_the_command_is_no_mistake(text: str, reason: str) -> None:
    assert found(text) == "", reason


@pytest.mark.parametrize(
    ("text", "why"),
    [
        ("printf '%s' a", "and the quote ' is still open there"),
        ("mysql -e \"like '%a'\"", 'and the quote " is still open there'),
        ("x > log-$(date +%F)", "and $( is still open there"),
        ('x > "log-$(date +%F)"', "and $( is still open there"),
        ("x `date +%F`", "and the quote ` is still open there"),
        ("sleep $((RANDOM % 60)); x", "and $(( is still open there"),
        ("x ${A%.gz}", "and ${ is still open there"),
        ('x "${A%.gz}"', "and ${ is still open there"),
        ("(x %a)", "and ( is still open there"),
        ('echo "it\'s %a"', 'and the quote " is still open there'),
        ("date +%Y", "what follows is its standard input"),
        ("date +%A", "what follows is its standard input"),
        ("date +\\%Y-%m", "what follows is its standard input"),
        ("/bin/date -u +x%d", "what follows is its standard input"),
        ("printf %5d x", "what follows is its standard input"),
        ("x log-%H.txt", "what follows is its standard input"),
        ("x %H:%M", "what follows is its standard input"),
        ("stat -c %s x", "what follows is its standard input"),
        ("x backup%s", "what follows is its standard input"),
        ("curl http://x/a%20b", "what follows is its standard input"),
        ("curl http://x/a%2Fb", "what follows is its standard input"),
        ("curl -w %{http_code} x", "what follows is its standard input"),
        ("x %-d.%-m.", "what follows is its standard input"),
    ],
)
def test_a_percent_sign_that_was_meant_for_the_command(text: str, why: str) -> None:
    assert found(text) == why


@pytest.mark.parametrize(
    "piece", ["'", '"', "$(", "$((", "`", "(", "))", "\\", "#", " #", "a b ", "date "]
)
def test_a_long_command_is_looked_at_in_no_time(piece: str) -> None:
    doubt(piece * (100_000 // len(piece)), "x")


@given(st.text(st.sampled_from("a '\"`$(){}\\#"), max_size=30))
def test_what_is_in_single_quotes_never_matters(text: str) -> None:
    assert still_open(f"x '{text.replace(chr(39), '')}' y") == ""
