"""docs/control.md tells the truth: its examples are read by the code, its codes and limits are all."""

from __future__ import annotations

import ast
import json
import re
from itertools import pairwise
from pathlib import Path
from typing import Any

import pytest
from standin import STATUS

from scheduler import control, protocol, replies
from scheduler.protocol import Refused

ROOT = Path(__file__).parent.parent
PAGE = (ROOT / "docs" / "control.md").read_text(encoding="utf-8")
LINES = [line.strip() for line in PAGE.splitlines() if line.startswith("    ")]
PAIRS = [(one, other) for one, other in pairwise(LINES) if '"meridian"' in one and '"ok"' in other]
ASKED = {"protocol", "control", "daemon", "desk", "orders"}  # where refusals come from


def test_every_example_is_a_request_followed_by_its_reply() -> None:
    assert [line for pair in PAIRS for line in pair] == LINES


@pytest.mark.parametrize("line", sorted({one for one, _ in PAIRS}))
def test_an_example_of_a_request_is_what_a_command_writes(line: str) -> None:
    request = protocol.read(line.encode())
    assert not isinstance(request, Refused), request
    assert protocol.write(request).decode() == f"{line}\n"


@pytest.mark.parametrize("line", sorted({other for _, other in PAIRS}))
def test_an_example_of_a_reply_is_one(line: str) -> None:
    reply = protocol.read_reply(line.encode())
    assert protocol.write_reply(reply).decode() == f"{line}\n"


def test_every_verb_has_an_example() -> None:
    shown = {json.loads(request)["do"] for request, _ in PAIRS}
    assert shown == set(protocol.VERBS)
    assert set(re.findall(r"^\*\*(\w+)\*\*", PAGE, re.MULTILINE)) == set(protocol.VERBS)


def example(verb: str) -> dict[str, Any]:
    """The reply shown last for a verb."""
    found: dict[str, Any] = json.loads(
        [reply for request, reply in PAIRS if json.loads(request)["do"] == verb][-1]
    )
    return found


def test_the_example_of_a_status_is_one_that_status_shows() -> None:
    shown = example("status")
    assert replies.of_status(shown).in_force == frozenset({"backup"})
    assert set(shown) - {"ok", "in_force"} == set(STATUS)


@pytest.mark.parametrize("verb", ["trigger", "retry", "kill"])
def test_the_example_of_a_run_is_one_that_a_command_shows(verb: str) -> None:
    assert replies.of_run(example(verb)).job == "backup"


def codes() -> set[str]:
    """Every code with which the daemon refuses, by the text of its modules."""
    found = set()
    for name in ASKED:
        path = ROOT / "scheduler" / f"{name}.py"
        for node in ast.walk(ast.parse(path.read_text(encoding="utf-8"))):
            if (
                isinstance(node, ast.Call)
                and isinstance(node.func, ast.Name)
                and node.func.id in ("Refused", "BadValue")
                and isinstance(node.args[0], ast.Constant)
            ):
                found.add(str(node.args[0].value))
    return found


def test_every_code_is_told_and_no_other() -> None:
    table = PAGE.split("\n## Refusals\n")[1].split("\n\n")[0].strip()
    rows = [line.split("|")[1] for line in table.splitlines()[2:]]
    assert {code for row in rows for code in re.findall(r"`([a-z-]+)`", row)} == codes()


def test_the_limits_are_the_real_ones() -> None:
    limits = PAGE.split("\n## Limits\n")[1]
    for words in (
        f"at most {protocol.LONGEST_LINE:,} bytes",
        f"at most {protocol.LONGEST_TEXT:,} characters",
        f"whole {control.PATIENCE:g} seconds",
        f"read in {control.PATIENCE:g} seconds",
        f"{control.MOST_AT_ONCE}\nconnections",
    ):
        assert words in limits
    assert f"did not get to it in {control.ANSWER_WITHIN:g} seconds" in PAGE
    assert f"`meridian` is the version of the protocol, {protocol.VERSION}." in PAGE
