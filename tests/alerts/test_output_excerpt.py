"""Head and tail of an output, whatever its size and whatever is in it."""

from __future__ import annotations

import os
import tracemalloc
from typing import TYPE_CHECKING

import pytest
from hypothesis import given
from hypothesis import strategies as st

from scheduler import own_secrets
from scheduler.alerts.output_excerpt import OutputExcerpt, excerpt, tail

if TYPE_CHECKING:
    from pathlib import Path


def shown(folder: Path, data: bytes, most: int = 600, charset: str = "utf-8") -> OutputExcerpt:
    file = folder / "1.1.log"
    file.write_bytes(data)
    return excerpt(file, most, charset)


@pytest.mark.parametrize(
    ("data", "text", "why"),
    [
        (b"", "", "nothing"),
        (b"a\nb\n", "a\nb\n", "as it is"),
        (b"a", "a\n", "with a newline at its end"),
        (b"\x1b[31mred\x1b[0m\n", "red\n", "colours are left out"),
        (b"\x1b]0;title\x07\x00\n", "\\x1b]0;title\\x07\\x00\n", "what steers a terminal is an escape"),
        (b"10%\r20%\r\n", "10%\\r20%\n", "a bare CR is no line end of a mail"),
        (b"caf\xc3\xa9 caf\xe9\n", "café caf\\xe9\n", "UTF-8, and a byte that is none"),
        (b"\xe2\x80\xae\n", "\\u202e\n", "nothing is shown backwards"),
        (b"a\xe2\x80\xa8b\n", "a\\u2028b\n", "no other line ends"),
        (b"--password hunter22 x\n", "--password ******** x\n", "secrets are stars"),
    ],
)  # fmt: skip
def test_an_output_is_told_as_somebody_else_may_read_it(
    data: bytes, text: str, why: str, tmp_path: Path
) -> None:
    assert shown(tmp_path, data) == OutputExcerpt(text), why


def test_an_output_in_latin_1_is_read_as_such_if_the_crontab_says_so(tmp_path: Path) -> None:
    assert shown(tmp_path, b"caf\xe9\n", charset="iso8859-1").text == "café\n"


def test_where_there_are_too_many_secrets_no_output_is_told(tmp_path: Path) -> None:
    """In place of one from which some of them might be missing."""
    file = tmp_path / "1.1.log"
    file.write_bytes(b"hunter2x\n")
    sentence = "(its output is not sent: it may have too many secrets to look for)"
    told = excerpt(file, 100, secrets=own_secrets.TOO_MANY)
    assert told == OutputExcerpt(f"{sentence}\n", is_whole=False)
    assert tail(file, 100, own_secrets.TOO_MANY) == sentence
    file.write_bytes(b"")
    assert excerpt(file, 100, secrets=own_secrets.TOO_MANY) == OutputExcerpt("")


def test_of_a_long_output_head_and_tail_are_told_from_line_to_line(tmp_path: Path) -> None:
    lines = [f"line {number}" for number in range(10_000)]
    told = shown(tmp_path, "\n".join(lines).encode())
    first, gap, last = told.text.split("\n\n")
    assert not told.is_whole
    assert first.split("\n") == lines[: len(first.split("\n"))]
    assert last.rstrip("\n").split("\n") == lines[-len(last.rstrip("\n").split("\n")) :]
    assert gap == "[... about 98 kB of 99 kB left out here ...]"
    assert 400 < len(told.text) < 700


def test_one_line_of_a_megabyte_is_cut(tmp_path: Path) -> None:
    told = shown(tmp_path, b"x" * 1_000_000)
    assert len(told.text) < 700
    assert told.text.startswith("x" * 200 + "\n\n[...")


def test_a_secret_that_the_cut_goes_through_is_not_told(tmp_path: Path) -> None:
    secret = b"https://ada:" + b"hunter22" * 20 + b"@example.org/\n"
    for before in range(0, 400, 7):  # the cut wanders through it, at the head and at the tail
        text = shown(tmp_path, b"a" * before + b" " + secret + b"b\n" * 50_000).text
        text += shown(tmp_path, b"b\n" * 50_000 + secret + b"a" * before).text
        assert "hunter" not in text, before


@pytest.mark.parametrize(
    ("data", "text", "why"),
    [
        (b"", "", "nothing"),
        (b"one\ntwo\n\n", "one\ntwo", "without empty lines at its end"),
        (b"x" * 50 + b"\n" + b"y" * 60, "y" * 60, "from the begin of a line if one is near"),
        (b"x" * 500, "x" * 100, "else the last characters"),
        (b"a\n" * 50_000 + b"\x1b[31m--token hunter22\x07", "--token ************", "as a head is"),
    ],
)
def test_of_the_tail_alone_the_last_lines_are_told(
    data: bytes, text: str, why: str, tmp_path: Path
) -> None:
    (tmp_path / "1.1.log").write_bytes(data)
    found = tail(tmp_path / "1.1.log", 100)
    assert len(found) <= 100, why
    assert found.endswith(text), why
    assert tail(tmp_path / "none", 100) == "(its output is not kept any more)"


def test_of_100_mb_only_the_parts_that_are_told_are_read(tmp_path: Path) -> None:
    file = tmp_path / "1.1.log"
    with file.open("wb") as written:
        written.write(b"begin\n")
        written.seek(100_000_000)
        written.write(b"middle\n" + b"y" * 300_000 + b"\nend\n")
    tracemalloc.start()
    told = excerpt(file, 60_000)
    _, peak = tracemalloc.get_traced_memory()
    tracemalloc.stop()
    assert told.text.startswith("begin\n")
    assert told.text.endswith("y\nend\n")
    assert peak < 5_000_000
    assert len(told.text) < 61_000


def test_what_is_not_kept_of_an_output_is_told(tmp_path: Path) -> None:
    file = tmp_path / "1.1.log"
    with file.open("wb") as written:
        written.write(b"begin\n" + b"a" * 5000)
        written.seek(1 << 20)
        written.write(b"end\n")
    told = excerpt(file, 2 << 20)
    if file.stat().st_blocks * 512 >= 1 << 20:
        pytest.skip("this file system has no holes")
    assert "[... some output is not kept ...]" in told.text
    assert not told.is_whole


def test_an_output_that_is_gone_is_told_as_such(tmp_path: Path) -> None:
    assert excerpt(tmp_path / "none", 100) == OutputExcerpt("", is_whole=False, is_kept=False)
    (tmp_path / "link").symlink_to("/etc/passwd")
    assert not excerpt(tmp_path / "link", 100).is_kept
    os.mkfifo(tmp_path / "fifo")
    assert not excerpt(tmp_path / "fifo", 100).is_kept


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return tmp_path_factory.mktemp("outputs")


@given(st.binary(max_size=3000), st.integers(3, 3000))
def test_no_output_has_anything_but_lines_of_printable_text(
    folder: Path, data: bytes, most: int
) -> None:
    text = shown(folder, data, most).text
    assert all(char in "\n\t" or char.isprintable() or char.isspace() for char in text)
    assert not set(text) & set("\r\x0b\x0c\x1c\x1d\x1e\x85\u2028\u2029\x00\x1b")
    assert text == "" or text.endswith("\n")
