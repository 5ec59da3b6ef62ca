"""The manual page of the package of Debian: all that `--help` says, in roff that prints it."""

from __future__ import annotations

import re
import runpy
import subprocess

import pytest
import sources
from commands import COMMANDS, GROUP
from programs import program

MAN_PAGE = runpy.run_path(str(sources.ROOT / ".ci/debian/man_page.py"))


@pytest.fixture(scope="module")
def page() -> str:
    text = MAN_PAGE["page"]("2020-02-02")
    assert isinstance(text, str)
    return text


def test_every_command_and_option_stands_in_it(page: str) -> None:
    printed = page.replace(r"\-", "-")
    for name, command in COMMANDS.items():
        (part,) = re.findall(
            rf"^\.SS meridian {name}\b.*\n((?:(?!\.S[SH] ).*\n)*)", printed, re.MULTILINE
        )
        for option in command.params:
            assert not option.opts[0].startswith("-") or option.opts[0] in part, (name, option.opts)
        assert "Example:" in part, name
    titles = re.findall(r"^\.SH (.*)", page, re.MULTILINE)
    assert set(map(str.upper, GROUP.groups)) < set(titles)


@pytest.mark.parametrize(
    ("text", "line"),
    [
        ("--json", r"\-\-json"),  # a hyphen that can be searched for, and copied
        (".ics files", r"\&.ics files"),  # no request of roff's
        ("'s", r"\(aqs"),  # nor this
        (r"a\nb", r"a\enb"),
        ("~/x `y` ^", r"\(ti/x \(gay\(ga \(ha"),  # ASCII's own, not accents
    ],
)
def test_roff_prints_what_it_is_given(text: str, line: str) -> None:
    assert MAN_PAGE["_plain"](text) == line


@pytest.mark.privileged
def test_a_reader_of_manual_pages_has_nothing_to_say_of_it(page: str) -> None:
    words = (program("mandoc"), "-T", "lint", "-W", "warning")
    done = subprocess.run(words, input=page, text=True, capture_output=True, check=False)
    assert (done.returncode, done.stdout) == (0, "")
