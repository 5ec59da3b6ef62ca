"""/etc/environment and /etc/default/locale: what every user's jobs find."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest

from scheduler.system import user_variables

if TYPE_CHECKING:
    from pathlib import Path

LINES = [
    ("LANG=de_DE.UTF-8", {"LANG": "de_DE.UTF-8"}, "as Debian's installer writes it"),
    ('LANG="C.UTF-8"', {"LANG": "C.UTF-8"}, "quotes are taken away"),
    ("LANG='C'", {"LANG": "C"}, "of both kinds"),
    ("export LANG=C", {"LANG": "C"}, "as a shell would read it"),
    ("  A=b c ", {"A": "b c"}, "blanks around it"),
    ("A=", {"A": ""}, "nothing is a value"),
    ("A=b # why", {"A": "b"}, "a comment behind it"),
    ("A=b#c", {"A": "b#c"}, "a sign within it"),
    ("# A=b", {}, "a comment"),
    ("A", {}, "no assignment"),
    ("1A=b", {}, "no name"),
    ("A=$HOME", {"A": "$HOME"}, "nothing is expanded"),
    ("A='b", {"A": "'b"}, "half a pair of quotes is text"),
    ("A=b\0c", {}, "what can be in no variable"),
    ("PATH=/opt/bin", {}, "cron has a PATH of its own, whatever stands here"),
    ("HOME=/", {}, "the account's"),
    ("USER=root", {}, "the account's"),
    ("SHELL=/bin/zsh", {}, "cron's"),
]


@pytest.mark.parametrize(("line", "expected", "why"), LINES)
def test_a_line_gives_a_variable(line: str, expected: dict[str, str], why: str) -> None:
    assert user_variables.read(line) == expected, why


def test_the_locale_wins_and_no_file_is_needed(tmp_path: Path) -> None:
    assert user_variables.of_users(tmp_path) == {}
    (tmp_path / "etc/default").mkdir(parents=True)
    (tmp_path / "etc/environment").write_bytes(b"LANG=C\nA=\xff\n")
    (tmp_path / "etc/default/locale").write_text("LANG=en_GB.UTF-8\n")
    assert user_variables.of_users(tmp_path) == {"LANG": "en_GB.UTF-8", "A": "\udcff"}
