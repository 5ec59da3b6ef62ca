"""Which crontabs a system daemon reads, in which order and form."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest

from scheduler.system import crontab_place
from scheduler.system.crontab_place import CrontabPlace, Form

if TYPE_CHECKING:
    from pathlib import Path


def made(root: Path, *files: str) -> None:
    for file in files:
        path = root / file
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text("")


def read(root: Path) -> list[str]:
    own = root / "etc/meridian/crontabs"
    return [str(each.file).removeprefix(f"{root}/") for each in crontab_place.of_machine(own, root)]


def test_a_machine_without_any_crontab_has_none(tmp_path: Path) -> None:
    assert crontab_place.of_machine(tmp_path / "etc/meridian/crontabs", tmp_path) == ()


def test_roots_own_come_before_crons_and_users_last(tmp_path: Path) -> None:
    order = (
        "etc/meridian/crontabs/crontab",
        "etc/crontab",
        "etc/cron.d/a",
        "etc/cron.d/b",
        "etc/anacrontab",
        "var/spool/cron/crontabs/alice",
        "var/spool/cron/crontabs/bob",
    )
    made(tmp_path, *reversed(order))
    assert read(tmp_path) == [*order]


def test_each_is_read_in_its_form(tmp_path: Path) -> None:
    made(tmp_path, "etc/meridian/crontabs/own", "etc/crontab", "etc/cron.d/php", "etc/anacrontab")
    made(tmp_path, "var/spool/cron/crontabs/alice")
    found = crontab_place.of_machine(tmp_path / "etc/meridian/crontabs", tmp_path)
    assert found == (
        CrontabPlace(f"{tmp_path}/etc/meridian/crontabs/own", Form.SYSTEM),
        CrontabPlace(f"{tmp_path}/etc/crontab", Form.SYSTEM, is_crons=True),
        CrontabPlace(f"{tmp_path}/etc/cron.d/php", Form.SYSTEM, is_crons=True),
        CrontabPlace(f"{tmp_path}/etc/anacrontab", Form.ANACRON, is_crons=True),
        CrontabPlace(
            f"{tmp_path}/var/spool/cron/crontabs/alice", Form.SPOOL, "alice", is_crons=True
        ),
    )


@pytest.mark.parametrize(
    ("name", "is_read"),
    [
        ("e2scrub_all", True),  # as packages call theirs
        ("1-first", True),
        ("UPPER", True),
        ("backup.sh", False),  # Debian's rule has no dot
        ("site.crontab", False),  # that is the rule of Meridian's own folder
        ("php.dpkg-old", False),  # what a package manager left
        ("php~", False),  # what an editor left
        (".hidden", False),
        ("#php#", False),
        (".placeholder", False),
    ],
)
def test_debians_rule_says_which_names_in_cron_d_count(
    tmp_path: Path, name: str, is_read: bool
) -> None:
    made(tmp_path, f"etc/cron.d/{name}")
    assert bool(read(tmp_path)) is is_read
    warned = [problem.file for problem in crontab_place.ignored(tmp_path)]
    is_told = not is_read and name != ".placeholder"
    assert warned == ([f"{tmp_path}/etc/cron.d/{name}"] if is_told else [])


@pytest.mark.parametrize(
    ("name", "is_read"),
    [
        ("alice", True),
        ("svc$", True),  # a name that a directory gives out
        ("first.last", True),
        (".alice.new", False),  # a table that is being saved
        ("tmp.Xy12", False),  # the same, by Debian's crontab(1)
    ],
)
def test_a_table_of_the_spool_is_named_as_its_user(
    tmp_path: Path, name: str, is_read: bool
) -> None:
    made(tmp_path, f"var/spool/cron/crontabs/{name}")
    assert bool(read(tmp_path)) is is_read


def test_a_folder_is_no_crontab_and_a_broken_link_is_one_to_be_told_of(tmp_path: Path) -> None:
    (tmp_path / "etc/cron.d/folder").mkdir(parents=True)
    (tmp_path / "etc/crontab").symlink_to("nowhere")
    assert read(tmp_path) == ["etc/crontab"]
