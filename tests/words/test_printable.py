"""What may be shown: nothing that steers a terminal."""

from __future__ import annotations

import re
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from scheduler.printable import OutputScreen, clean, quoted, screened
from scheduler.text import shortened


@pytest.mark.parametrize(
    ("text", "shown"),
    [
        ("echo grüß 日本", "echo grüß 日本"),  # letters are letters
        ("a\tb\nc", "a\\tb\\nc"),  # one line stays one line
        ("\x1b[31mred", "\\x1b[31mred"),  # no colours, no titles, no cursor moves
        ("\x9b31m", "\\x9b31m"),  # the same in eight bits
        ("a\u202eb", "a\\u202eb"),  # nothing that changes the reading direction
        ("a\udcffb", "a\\xffb"),  # a byte that is no UTF-8
        ("a\xa0b", "a\\xa0b"),  # a blank that is none
    ],
)
def test_what_is_not_printable_is_written_as_an_escape(text: str, shown: str) -> None:
    assert clean(text) == shown


@pytest.mark.parametrize(
    ("text", "shown"),
    [
        ("café", "'café'"),
        ("caf\udce9", r"'caf\xe9'"),  # as ls shows it
        ("\udce9\udcff", r"'\xe9\xff'"),
        (r"\udce9", r"'\\udce9'"),  # that was typed, and a backslash is doubled
        ("\\\udce9", r"'\\\xe9'"),  # a backslash and a byte
        ("\ud800", r"'\ud800'"),  # half a character, which no file holds
        ("it's", '"it\'s"'),
        ("a\nb\x1b[m", r"'a\nb\x1b[m'"),
    ],
)
def test_a_text_in_quotes_shows_bytes_as_bytes(text: str, shown: str) -> None:
    assert quoted(text) == shown
    assert shortened(text) == shown
    assert clean(shown) == shown


def test_nothing_but_this_puts_a_text_of_somebody_in_quotes() -> None:
    for path in sorted((Path(__file__).parent.parent.parent / "scheduler").rglob("*.py")):
        text = path.read_text(encoding="utf-8").replace("error=repr(error)", "")  # a bug of ours
        assert path.name == "printable.py" or not re.search(r"!r}|\brepr\(", text), path


@given(st.text())
def test_whatever_comes_in_what_comes_out_is_printable_and_encodable(text: str) -> None:
    assert clean(text).isprintable()
    clean(text).encode()


@given(st.binary())
def test_output_keeps_lines_and_blanks_and_nothing_else_that_steers(data: bytes) -> None:
    shown = screened(data.decode("utf-8", "surrogateescape"))
    assert all(char in "\n\t" or char.isspace() or char.isprintable() for char in shown)
    assert not set(shown) & {"\x1b", "\x9b", "\r", "\x07", "\x08"}


@given(
    st.lists(
        st.sampled_from(["\x1b", "[", "31", ";", "m", "\r", "\n", "é", "\N{PILE OF POO}", "\xff"])
    ),
    st.lists(st.integers(0, 60)),
)
def test_an_output_in_pieces_is_shown_as_it_is_whole(parts: list[str], cuts: list[int]) -> None:
    data = "".join(parts).encode() + b"\xff\xc3"
    ends = [*sorted(cuts), len(data)]
    screen = OutputScreen()
    shown = "".join(screen.show(data[a:b]) for a, b in zip([0, *ends], ends, strict=False))
    shown += screen.show(b"", is_last=True)
    assert shown == screened(data.decode("utf-8", "surrogateescape"))


def test_a_colour_without_an_end_does_not_delay_the_text() -> None:
    assert OutputScreen().show(b"\x1b[" + b"1;" * 50) == "\\x1b[" + "1;" * 50


def test_colours_of_an_output_are_dropped_and_its_line_ends_are_lines() -> None:
    assert screened("\x1b[1;31mred\x1b[0m\r\n\tnext\xa0\x1b]0;title\x07") == (
        "red\n\tnext\xa0\\x1b]0;title\\x07"
    )
