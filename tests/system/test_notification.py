"""What anybody's words become before they are shown: nothing in them commands a terminal."""

import pytest
from hypothesis import given
from hypothesis import strategies as st
from notification_words import HARMLESS

from scheduler.errors import NotifyError
from scheduler.system import notification
from scheduler.system.notification import TEXT_LIMIT, TITLE_LIMIT, WORD_LIMIT, Notification


@pytest.mark.parametrize(("raw", "shown", "why"), HARMLESS, ids=[row[2] for row in HARMLESS])
def test_what_commands_a_terminal_is_dropped(raw: str, shown: str, why: str) -> None:
    assert notification.plain(raw) == shown, why


@given(st.text(st.characters()))
def test_whatever_is_left_is_printable_and_encodable(text: str) -> None:
    left = notification.plain(text)
    left.encode()
    assert not any(ord(c) < 32 or 127 <= ord(c) < 160 for c in left if c not in "\n\t")


@pytest.mark.parametrize("title", ["", "  ", "\0", "\x1b\x07", "\u202e"])
def test_a_title_nobody_could_see_is_refused(title: str) -> None:
    with pytest.raises(NotifyError, match="needs a title"):
        notification.safe(Notification(title, "text"))


def test_long_words_are_cut() -> None:
    long = "x" * 10**6
    shown = notification.safe(Notification(long, long, tag=long, icon=long))
    found = [len(text) for text in (shown.title, shown.text, shown.tag, shown.icon)]
    assert found == [TITLE_LIMIT, TEXT_LIMIT, WORD_LIMIT, WORD_LIMIT]
    assert {text[-1] for text in (shown.title, shown.text)} == {"…"}


def test_all_but_the_text_is_one_line() -> None:
    words = " Take\na\t break "
    shown = notification.safe(Notification(words, tag=words, icon=words))
    assert {shown.title, shown.tag, shown.icon} == {"Take a break"}
