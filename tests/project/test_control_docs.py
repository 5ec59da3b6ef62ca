"""docs/control.md tells the truth: its examples are read by the code, its codes and limits are all."""

from __future__ import annotations

import ast
import json
import re
from itertools import pairwise
from pathlib import Path
from typing import TYPE_CHECKING, Any

import pytest
from fakes import Act
from standin import STATUS
from tables import of_tables
from world import Asked, line, when

from scheduler import protocol, request_members, wire
from scheduler.codec import decode
from scheduler.past import MOST_ON_A_PAGE, History, HistoryReply, Output, OutputReply
from scheduler.protocol import (
    Inherited,
    InheritedEnvironment,
    Kill,
    Pause,
    PauseReply,
    Reload,
    RemoveTable,
    Resume,
    ResumeReply,
    Retry,
    RunReply,
    SaveTable,
    Table,
    TableChanged,
    TableReply,
    Trigger,
)
from scheduler.run import Exited
from scheduler.schedule.backlog import of_missed
from scheduler.status import Crontabs, Snapshot, Status
from scheduler.system import control_server, request_pace
from scheduler.wire import Refused

if TYPE_CHECKING:
    from scheduler.protocol import Answer, Request

ROOT = Path(__file__).parent.parent.parent
PAGE = (ROOT / "docs" / "control.md").read_text(encoding="utf-8")
LINES = [line.strip() for line in PAGE.splitlines() if line.startswith("    ")]
PAIRS = [(one, other) for one, other in pairwise(LINES) if '"meridian"' in one and '"ok"' in other]
ASKED = {
    "protocol",
    "system/control_server",
    "daemon/loop",
    "daemon/requests",
    "daemon/rights",
    "daemon/user_tables",
    "runs/manual",
}  # where refusals come from


KINDS: dict[str, type[Answer]] = {
    "status": Snapshot,
    "trigger": RunReply,
    "retry": RunReply,
    "kill": RunReply,
    "pause": PauseReply,
    "resume": ResumeReply,
    "reload": Crontabs,
    "inherited": InheritedEnvironment,
    "table": TableReply,
    "save-table": TableChanged,
    "remove-table": TableChanged,
    "history": HistoryReply,
    "output": OutputReply,
}


def test_every_example_is_a_request_followed_by_its_reply() -> None:
    assert [line for pair in PAIRS for line in pair] == LINES


@pytest.mark.parametrize("line", sorted({one for one, _ in PAIRS}))
def test_an_example_of_a_request_is_what_a_command_writes(line: str) -> None:
    request = protocol.read(line.encode())
    assert not isinstance(request, Refused), request
    assert wire.write(request).decode() == f"{line}\n"


@pytest.mark.parametrize("line", sorted({other for _, other in PAIRS}))
def test_an_example_of_a_reply_is_one(line: str) -> None:
    reply = wire.read_reply(line.encode())
    assert wire.write_reply(reply).decode() == f"{line}\n"


def test_every_verb_has_an_example() -> None:
    shown = {json.loads(request)["do"] for request, _ in PAIRS}
    assert shown == set(protocol.VERBS)
    assert set(re.findall(r"^\*\*([\w-]+)\*\*", PAGE, re.MULTILINE)) == set(protocol.VERBS)


def example(verb: str) -> dict[str, Any]:
    """The reply shown last for a verb."""
    found: dict[str, Any] = json.loads(
        [reply for request, reply in PAIRS if json.loads(request)["do"] == verb][-1]
    )
    return found


REQUESTS: tuple[Request, ...] = (
    Trigger("backup"),
    Retry(2),
    Pause(("mirror",)),
    Status(("backup",)),
    Resume(("mirror",)),
    Kill(2),
    Reload(),
    Inherited(),
    History(failed=True),
    Output(2, 1),
)


ABOUT_TABLES = (SaveTable("0 7 * * * backup\n"), Table(), RemoveTable())


@pytest.fixture(scope="module")
def told(tmp_path_factory: pytest.TempPathFactory) -> dict[str, Any]:
    """What a real daemon replies to each verb."""
    fails = line("report", "0 12 * * *", retry_delay="20m")
    text = line("backup", "0 6 * * *") + fails + line("mirror", "0 6 * * *")
    acts = {"backup": [Act(lasts=900)], "report": [Act(outcome=Exited(1))]}
    waits = "START_HOURS_RANGE=20-22\n" + line("import", "0 * * * *", catchup="all")
    world = Asked("0 12 * * * true\n" + text + waits, acts=acts, grace=0, most=50)
    (missed,) = (each for each in world.library.load().entries if each.job == "import")
    world.journal.daemon_state.set_backlog(of_missed(missed, when("10:00"), when("11:00"), 2))
    for second, request in enumerate(REQUESTS):
        world.ask_at(f"12:05:{10 + second}", request)
    world.runs_until("12:10")
    asked = [*REQUESTS, *ABOUT_TABLES]
    replies = [*world.replies, *of_tables(tmp_path_factory.mktemp("spool"), *ABOUT_TABLES)]
    return {
        wire.verb_of(type(request)): wire.as_json(reply)
        for request, reply in zip(asked, replies, strict=True)
    }


def members(value: object) -> object:
    """The names in an object, in the objects in it, and in the rows of its lists."""
    if isinstance(value, dict):
        return {name: members(each) for name, each in value.items()}
    if isinstance(value, list):
        rows = {repr(members(each)): members(each) for each in value}
        return list(rows.values())
    return None


@pytest.mark.parametrize("verb", sorted(protocol.VERBS))
def test_the_example_of_a_reply_has_the_members_of_a_real_one(
    verb: str, told: dict[str, Any]
) -> None:
    assert members(example(verb)) == members(told[verb])


def test_the_stand_in_says_what_a_daemon_says(told: dict[str, Any]) -> None:
    asked = {"ok": True, "in_force": ["backup"]}
    assert members(STATUS | asked) == members(told["status"])


@pytest.mark.parametrize("verb", sorted(protocol.VERBS))
def test_the_example_of_a_reply_is_read_and_written_by_the_codec(verb: str) -> None:
    """Whole, and in the same order: nothing on the page is left out by who reads it."""
    shown = example(verb)
    record = decode(KINDS[verb], shown)
    assert json.dumps(wire.as_json(record)) == json.dumps(shown)


def module(name: str) -> ast.AST:
    path = ROOT / "scheduler" / f"{name}.py"
    return ast.parse(path.read_text(encoding="utf-8"))


def codes(*where: ast.AST) -> set[str]:
    """Every code with which the daemon refuses there, by the text of its modules."""
    return {
        str(node.args[0].value)
        for part in where
        for node in ast.walk(part)
        if isinstance(node, ast.Call)
        and isinstance(node.func, ast.Name)
        and node.func.id in ("Refused", "BadValue")
        and isinstance(node.args[0], ast.Constant)
    }


def codes_by_row() -> list[set[str]]:
    table = PAGE.split("\n## Refusals\n")[1].split("\n\n")[0].strip()
    return [set(re.findall(r"`([a-z-]+)`", row.split("|")[1])) for row in table.splitlines()[2:]]


def test_every_code_is_told_and_no_other() -> None:
    assert set().union(*codes_by_row()) == codes(*map(module, ASKED))


def test_the_codes_that_end_a_connection_are_said_to() -> None:
    """Those of reading a line, and of taking a connection."""
    functions = {
        node.name: node
        for node in ast.walk(module("system/control_server"))
        if isinstance(node, ast.FunctionDef | ast.AsyncFunctionDef)
    }
    ending = codes(module("protocol"), functions["_request"], functions["_admitted"])
    assert "The codes of the first four rows end the connection" in PAGE
    assert set().union(*codes_by_row()[:4]) == ending


def test_the_limits_are_the_real_ones() -> None:
    limits = PAGE.split("\n## Limits\n")[1]
    for words in (
        f"at most {protocol.LONGEST_LINE:,} bytes",
        f"at most {request_members.LONGEST_TEXT:,} characters",
        f"whole {control_server.REQUEST_TIMEOUT:g} seconds",
        f"read in {control_server.REQUEST_TIMEOUT:g} seconds",
        f"{control_server.MOST_AT_ONCE}\nconnections",
        f"have {control_server.MOST_OF_OTHERS}, and each of them {control_server.MOST_OF_A_USER};",
        f"below; {control_server.MOST_UNNAMED} connections",
    ):
        assert words in limits
    for words in (
        f"answered {request_pace.REQUESTS_A_SECOND:g} times a second after the first {request_pace.REQUESTS_AT_ONCE},",
        f"has at most {MOST_ON_A_PAGE},",
    ):
        assert words in " ".join(PAGE.split())
    assert f"did not get to it in {control_server.ANSWER_WITHIN:g} seconds" in PAGE
    assert f"`meridian` is the version of the protocol, {wire.VERSION}." in PAGE
