"""From paths to entries: all crontabs together, and every problem with them."""

from __future__ import annotations

import grp
import os
import pwd
from dataclasses import replace
from typing import TYPE_CHECKING
from zoneinfo import ZoneInfo

import pytest

from scheduler.entry import Severity
from scheduler.system.crontab_loader import ReadOptions, load

if TYPE_CHECKING:
    from pathlib import Path

ME = os.geteuid()
OTHER = ME + 4242
HOW = ReadOptions(uid=ME, user="alice", zone=ZoneInfo("UTC"))


@pytest.fixture
def crontab(tmp_path: Path) -> Path:
    path = tmp_path / "crontab"
    path.write_bytes(b"0 9 * * * echo hi\n")
    path.chmod(0o600)
    return path


@pytest.fixture
def _shared(monkeypatch: pytest.MonkeyPatch) -> None:
    """Let every group be one that others are in."""
    monkeypatch.setattr(grp, "getgrgid", lambda gid: grp.struct_group(("users", "x", gid, [])))


# --- all files together --------------------------------------------------------------------------


def test_entries_and_problems_of_all_files_come_together(crontab: Path, tmp_path: Path) -> None:
    other = tmp_path / "other"
    other.write_text("61 * * * * no\n5 5 * * * yes\n")
    other.chmod(0o600)
    loaded = load((str(crontab), str(other)), replace(HOW, named=True))
    assert [entry.command for entry in loaded.entries] == ["echo hi", "yes"]
    assert [(problem.file, problem.line) for problem in loaded.problems] == [(str(other), 1)]
    assert loaded.failed == frozenset()


def test_a_file_that_cannot_be_read_is_a_problem_and_the_others_load(
    crontab: Path, tmp_path: Path
) -> None:
    loaded = load((str(tmp_path), str(crontab)), HOW)
    assert [entry.command for entry in loaded.entries] == ["echo hi"]
    (problem,) = loaded.problems
    assert (problem.code, problem.line, problem.severity) == ("not-regular", 0, Severity.ERROR)
    assert loaded.failed == {str(tmp_path)}
    assert [table.file for table in loaded.crontabs] == [str(tmp_path), str(crontab)]


@pytest.mark.parametrize(("named", "severity"), [(True, Severity.ERROR), (False, Severity.WARNING)])
def test_a_missing_file_fails_only_if_it_was_named(
    tmp_path: Path, named: bool, severity: Severity
) -> None:
    path = str(tmp_path / "none")
    loaded = load((path,), replace(HOW, named=named))
    (problem,) = loaded.problems
    assert (problem.code, problem.severity) == ("missing", severity)
    assert problem.hint == ("" if named else "meridian edit begins one")
    assert loaded.failed == ({path} if named else frozenset())


def test_a_draft_stands_for_the_file(crontab: Path) -> None:
    loaded = load((str(crontab),), HOW, drafts={str(crontab): b"1 1 * * * draft\n"})
    assert [entry.command for entry in loaded.entries] == ["draft"]


@pytest.mark.usefixtures("_shared")
def test_a_doubtful_file_is_read_with_a_warning(crontab: Path) -> None:
    crontab.chmod(0o664)
    loaded = load((str(crontab),), replace(HOW, named=True, uid=OTHER))
    assert [problem.code for problem in loaded.problems] == ["group-writable"]
    assert len(loaded.entries) == 1


def test_a_name_used_in_two_files_is_refused_in_the_second(tmp_path: Path) -> None:
    files = []
    for name in ("a", "b"):
        path = tmp_path / name
        path.write_text("CRON_NAME=one\n1 1 * * * x\n")
        path.chmod(0o600)
        files.append(str(path))
    loaded = load(files, replace(HOW, named=True))
    assert [entry.file for entry in loaded.entries] == [files[0]]
    assert [problem.file for problem in loaded.problems] == [files[1]]


# --- other users ---------------------------------------------------------------------------------


SYSTEM = b"0 1 * * * alice mine\nAPI_KEY=hush\n0 2\t* * * nobody  theirs\n61 * * * * x y\n"


def test_entries_of_other_users_are_refused(crontab: Path) -> None:
    loaded = load((str(crontab),), replace(HOW, system=True), drafts={str(crontab): SYSTEM})
    assert [entry.command for entry in loaded.entries] == ["mine"]
    problem = next(each for each in loaded.problems if each.line == 3)
    assert (problem.code, problem.severity) == ("other-user", Severity.ERROR)
    assert "nobody" in problem.message
    assert problem.text[problem.column - 1 :].startswith("nobody")
    assert loaded.crontabs[0].refused == {3, 4}


@pytest.mark.parametrize(
    ("line", "column"), [("0 1 * * * cd /srv && x\n", 11), ("0 1 * * *  test -x /x || y\n", 12)]
)
def test_a_command_where_the_user_should_be_is_no_other_user(
    crontab: Path, monkeypatch: pytest.MonkeyPatch, line: str, column: int
) -> None:
    monkeypatch.setattr(pwd, "getpwnam", {"alice": None}.__getitem__)
    drafts = {str(crontab): line.encode()}
    loaded = load((str(crontab),), replace(HOW, system=True), drafts=drafts)
    (problem,) = loaded.problems
    word = line.split()[5]
    assert (problem.code, problem.column) == ("bad-user", column)
    assert problem.message == f"there is no user {word}: a user stands before the command here"
    assert problem.hint.startswith("write alice before it")


def test_to_be_looked_at_they_may_be_kept(crontab: Path) -> None:
    how = replace(HOW, system=True, keep_others=True)
    loaded = load((str(crontab),), how, drafts={str(crontab): SYSTEM})
    assert [entry.user for entry in loaded.entries] == ["alice", "nobody"]
    found = [(problem.line, problem.severity) for problem in loaded.problems]
    assert found == [(3, Severity.ERROR), (4, Severity.ERROR)]


# --- the form of a file --------------------------------------------------------------------------


def test_root_alone_may_ask_the_log_for_silence_in_a_table_of_its_own(tmp_path: Path) -> None:
    crontab = tmp_path / "crontab"
    crontab.write_text("-*/15 * * * * x\n")
    for uid, found in ((0, []), (1000, ["dash"])):
        loaded = load(
            [str(crontab)], replace(HOW, uid=uid), drafts={str(crontab): crontab.read_bytes()}
        )
        assert [problem.code for problem in loaded.problems] == found


@pytest.mark.parametrize(
    ("text", "place", "why"),
    [
        (b"0 5 * * * a", (1, 12), "a job"),
        (b"0 5 * * * a\nA=1", (2, 4), "an assignment"),
        (b"0 5 * * * a\n", None, "an end as it should be"),
        (b"0 5 * * * a\r\n", None, "and this"),
        (b"0 5 * * * a\n# b", None, "a comment is lost nowhere"),
        (b"0 5 * * * a\n  ", None, "nor are blanks"),
        (b"", None, "nothing at all"),
    ],
)
def test_a_last_line_without_its_newline_runs_with_one_warning(
    tmp_path: Path, text: bytes, place: tuple[int, int] | None, why: str
) -> None:
    file = str(tmp_path / "crontab")
    loaded = load([file], HOW, drafts={file: text})
    found = [(each.line, each.column) for each in loaded.problems if each.code == "no-newline"]
    assert found == ([] if place is None else [place]), why
    assert len(loaded.entries) == bool(text), why


def test_the_problems_of_a_file_come_in_the_order_of_its_lines(tmp_path: Path) -> None:
    file = str(tmp_path / "crontab")
    text = b"CRON_UNTIL=2020-01-01 0 5 * * * a\n61 * * * * b\nCRON_UNTIL=2020-01-01 0 5 * * * c"
    loaded = load([file], HOW, drafts={file: text})
    found = [(each.line, each.code) for each in loaded.problems]
    assert found == [(1, "over"), (2, "out-of-range"), (3, "over"), (3, "no-newline")]


@pytest.mark.parametrize(
    ("file", "system", "is_told"),
    [
        ("/etc/crontab", False, True),
        ("/etc/cron.d/sysstat", False, True),
        ("/etc/crontab", True, False),
        ("/etc/meridian/crontabs/mine", False, False),
    ],
)
def test_a_file_of_cron_itself_is_of_the_system_form(
    file: str, system: bool, is_told: bool
) -> None:
    how = replace(HOW, system=system)
    loaded = load([file], how, drafts={file: b"17 * * * * alice run-parts x\n"})
    assert ("user-column" in {problem.code for problem in loaded.problems}) == is_told
