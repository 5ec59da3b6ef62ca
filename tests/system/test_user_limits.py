"""limits.conf(5): which lines count for whom, and what they come to."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest

from scheduler.system import user_limits
from scheduler.system.accounts import Account
from scheduler.system.user_limits import INFINITY, UserLimits

if TYPE_CHECKING:
    from pathlib import Path

ANN = Account("ann", 1001, 1001, (1001, 27), "/home/ann")
ROOT = Account("root", 0, 0, (0, 27), "/root")
GROUPS = {"ann": 1001, "sudo": 27, "video": 44}
NOFILE = "RLIMIT_NOFILE"


def read(*texts: str, account: Account = ANN) -> UserLimits:
    return user_limits.read(texts, account, GROUPS.get)


VALUES = [
    ("ann hard nofile 100", {NOFILE: (None, 100)}, "hard alone leaves soft as it is"),
    ("ann soft nofile 100", {NOFILE: (100, None)}, "soft alone"),
    ("ann - nofile 100", {NOFILE: (100, 100)}, "both sides"),
    ("ann - core 0", {"RLIMIT_CORE": (0, 0)}, "zero is a limit"),
    ("ann - as 1024", {"RLIMIT_AS": (1048576, 1048576)}, "counted in KB"),
    ("ann - cpu 2", {"RLIMIT_CPU": (120, 120)}, "counted in minutes"),
    ("ann - msgqueue 800", {"RLIMIT_MSGQUEUE": (800, 800)}, "counted in bytes"),
    ("ann - nice -5", {"RLIMIT_NICE": (25, 25)}, "20 minus the lowest niceness"),
    ("ann - nice 99", {"RLIMIT_NICE": (1, 1)}, "no higher than 19"),
    ("ann - nproc unlimited", {"RLIMIT_NPROC": (INFINITY, INFINITY)}, "a word for no limit"),
    ("ann - nproc infinity", {"RLIMIT_NPROC": (INFINITY, INFINITY)}, "another"),
    ("ann - nproc -1", {"RLIMIT_NPROC": (INFINITY, INFINITY)}, "and a third"),
    ("  ann\t-  NOFILE 5 # why", {NOFILE: (5, 5)}, "blanks, case, a comment"),
    ("# ann - nofile 5", {}, "a comment"),
    ("", {}, "nothing"),
    ("ann - nofile", {}, "a line too short limits nothing"),
    ("ann - nofile 5 6", {}, "nor one too long"),
    ("ann both nofile 5", {}, "nor one of an unknown kind"),
    ("ann - files 5", {}, "nor of an unknown item"),
    ("ann - nofile many", {}, "nor with a value that is none"),
    ("ann - nofile ٥", {}, "nor with digits of another script"),
    ("ann - maxlogins 1", {}, "a job is no login"),
]


@pytest.mark.parametrize(("text", "expected", "why"), VALUES)
def test_a_line_comes_to_limits(
    text: str, expected: dict[str, tuple[int | None, int | None]], why: str
) -> None:
    assert read(text).limits == expected, why


DOMAINS = [
    ("ann", True, "the user"),
    ("bob", False, "another user"),
    ("*", True, "everybody"),
    ("@sudo", True, "a group of the user's"),
    ("@ann", True, "the user's own group"),
    ("@video", False, "a group of others"),
    ("@nowhere", False, "a group that is not there"),
    ("%sudo", False, "counts logins"),
    ("1000:", True, "from this number on"),
    ("1002:", False, "the number is lower"),
    ("1000:1001", True, "between two numbers"),
    ("1002:1005", False, "the number is outside"),
    (":1001", True, "this number alone"),
    (":1002", False, "another number"),
    ("@27:27", True, "a group by its number"),
    ("@:27", True, "the same"),
    ("@28:", True, "the user's own group is above"),
    ("@2000:", False, "no group of the user's is"),
    ("x:y", False, "no number"),
]


@pytest.mark.parametrize(("domain", "counts", "why"), DOMAINS)
def test_a_line_counts_for_who_is_in_its_domain(domain: str, counts: bool, why: str) -> None:
    assert bool(read(f"{domain} - nofile 5").limits) == counts, why


@pytest.mark.parametrize("domain", ["*", "@sudo", "0:", ":0", "%sudo"])
def test_what_is_for_all_or_for_groups_spares_root(domain: str) -> None:
    assert read(f"{domain} - nofile 5", account=ROOT) == UserLimits()
    assert read("root - nofile 5", account=ROOT).limits == {NOFILE: (5, 5)}


PRIORITIES = [
    ("ann - nofile 1\n@sudo - nofile 2\n* - nofile 3", 1, "a user before a group"),
    ("* - nofile 3\n@sudo - nofile 2", 2, "a group before everybody"),
    ("* - nofile 3\n* - nofile 4", 4, "of equals the last"),
    ("@sudo - nofile 3\n@ann - nofile 4", 4, "of equals the last"),
]


@pytest.mark.parametrize(("text", "expected", "why"), PRIORITIES)
def test_the_most_particular_line_counts_and_of_equals_the_last(
    text: str, expected: int, why: str
) -> None:
    assert read(text).limits == {NOFILE: (expected, expected)}, why


def test_each_side_of_an_item_is_chosen_by_itself() -> None:
    assert read("ann soft nofile 1\n* hard nofile 9").limits == {NOFILE: (1, 9)}


@pytest.mark.parametrize("domain", ["ann", "@sudo", "*"])
def test_who_is_freed_has_no_limits(domain: str) -> None:
    assert read(f"ann - nofile 5\n{domain} -") == UserLimits()


def test_what_is_no_limit_of_the_kernel_is_told_apart() -> None:
    found = read("ann - priority 30", "ann - chroot /jail", "ann - nonewprivs 1")
    assert found == UserLimits(nice=19, no_new_privileges=True, chroot="/jail")
    assert read("ann - priority high", "ann - nonewprivs 0") == UserLimits()


def test_the_files_are_read_in_their_order(tmp_path: Path) -> None:
    (tmp_path / "limits.d").mkdir()
    (tmp_path / "limits.conf").write_text("ann - nofile 1\nann - core 1\n")
    (tmp_path / "limits.d" / "20-more.conf").write_bytes(b"\xff\nann - nofile 3\n")
    (tmp_path / "limits.d" / "10-more.conf").write_text("ann - nofile 2\n")
    (tmp_path / "limits.d" / "30-more.txt").write_text("ann - nofile 4\n")
    found = user_limits.of_account(ANN, tmp_path)
    assert found.limits == {NOFILE: (3, 3), "RLIMIT_CORE": (1024, 1024)}
    assert user_limits.of_account(ANN, tmp_path / "nowhere") == UserLimits()
