"""How messages show texts and numbers."""

from __future__ import annotations

import pytest

from scheduler.text import counted, of_entries, of_owner, shortened


@pytest.mark.parametrize(("number", "words"), [(0, "no entries"), (1, "1 entry"), (2, "2 entries")])
def test_a_noun_agrees_with_its_number(number: int, words: str) -> None:
    assert counted(number, "entry") == words


@pytest.mark.parametrize(
    ("text", "shown"),
    [
        ("*/90", "'*/90'"),
        ("x" * 40, f"'{'x' * 40}'"),
        ("x" * 41, f"'{'x' * 40}…'"),  # nobody reads a line of it
        ("a\x1b", "'a\\x1b'"),  # and nothing of it steers a terminal
    ],
)
def test_a_text_of_somebody_is_quoted_and_short(text: str, shown: str) -> None:
    assert shortened(text) == shown


@pytest.mark.parametrize(
    ("shown", "words"),
    [
        (of_entries(2, 1), "2 entries in 1 zone"),
        (of_entries(0, 0), "no entries"),  # and there are no zones of none
        (of_owner(60125, 1000), "belongs to user 60125, not to user 1000 or root"),
        (of_owner(60125, 0), "belongs to user 60125, not to root"),  # who is user 0
    ],
)
def test_nobody_and_nothing_are_said_once(shown: str, words: str) -> None:
    assert shown == words
