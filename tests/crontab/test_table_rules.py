"""What holds in a user's table, and in cron's, beside what holds everywhere."""

from __future__ import annotations

from dataclasses import replace
from typing import TYPE_CHECKING

import pytest
from hypothesis import given
from hypothesis import strategies as st

from scheduler.crontab import job_names, parser
from scheduler.crontab.table_rules import TableRules
from scheduler.crontab.unique_names import unique
from scheduler.entry import Pool, Severity
from scheduler.schedule.zone_data import UTC_ZONE

if TYPE_CHECKING:
    from scheduler.entry import Crontab

ALICE = TableRules(user="alice", is_crons=True, most=1000)
ROOTS = replace(ALICE, user="root", is_roots=True, most=None)
CRONS = TableRules(is_roots=True, is_crons=True)


def parsed(text: str, rules: TableRules, *, system: bool = False) -> Crontab:
    return parser.parse(text.encode(), file="t", zone=UTC_ZONE, system=system, rules=rules)


def errors(table: Crontab) -> list[str]:
    return [each.code for each in table.problems if each.severity is Severity.ERROR]


# --- retries --------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("text", "rules", "retries"),
    [
        ("0 5 * * * backup", CRONS, 0),  # a job that never expected to be run again
        ("0 5 * * * backup", ALICE, 0),
        ("0 5 * * * backup", TableRules(), 3),  # our own tables: as everywhere
        ("CRON_RETRIES=2 0 5 * * * backup", ALICE, 2),  # who asks for it has it
        ("CRON_RETRIES=2\n0 5 * * * backup", CRONS, 2),
        ("CRON_RETRIES=2\nCRON_RETRIES=\n0 5 * * * backup", CRONS, 0),  # the default is this one
        ("CRON_RETRY_DELAY=1m 0 5 * * * backup", CRONS, 0),  # how to wait does not ask for it
    ],
)
def test_jobs_of_crons_tables_are_not_retried_unless_they_ask(
    text: str, rules: TableRules, retries: int
) -> None:
    (entry,) = parsed(text, rules).entries
    assert entry.settings.retry.retries == retries


@pytest.mark.parametrize(
    ("text", "rules", "delay"),
    [
        ("CRON_RETRY_DELAY=0 0 5 * * * false", ALICE, 1),  # a thousand of these are no burst
        ("CRON_RETRY_DELAY=2s 0 5 * * * false", ALICE, 2),
        ("CRON_RETRY_DELAY=0 0 5 * * * false", ROOTS, 0),
        ("CRON_RETRY_DELAY=0 0 5 * * * false", TableRules(), 0),
    ],
)
def test_a_users_job_is_tried_again_after_a_second_at_the_earliest(
    text: str, rules: TableRules, delay: float
) -> None:
    (entry,) = parsed(text, rules).entries
    assert entry.settings.retry.delay == delay


# --- whose jobs, whose names ----------------------------------------------------------------------


def test_all_jobs_of_a_users_table_are_that_users() -> None:
    table = parsed("0 5 * * * root /bin/sh\n@reboot x\n", ALICE)
    assert [(each.user, each.command) for each in table.entries] == [
        ("alice", "root /bin/sh"),  # five fields: there is no column for another user
        ("alice", "x"),
    ]


def test_names_and_pools_are_in_the_users_name() -> None:
    table = parsed("CRON_NAME=backup CRON_POOL=disk:1 0 5 * * * x\n0 6 * * * rsync\n", ALICE)
    named, derived = table.entries
    assert (named.job, named.settings.pool) == ("alice.backup", Pool("alice.disk", 1))
    assert derived.job.startswith("alice.rsync-")


def test_a_derived_name_is_known_as_one_and_numbered() -> None:
    table = parsed("0 5 * * * x\n0 5 * * * x\n", ALICE)
    first, second = table.entries
    assert second.job == f"{first.job}-2"
    assert all(map(job_names.was_derived, table.entries))


def test_a_user_takes_no_name_of_roots() -> None:
    roots = parsed("CRON_NAME=alice.backup 0 5 * * * root x\n", CRONS, system=True)
    found = unique([roots, parsed("CRON_NAME=backup 0 5 * * * y\n", ALICE)])
    assert [[each.job for each in table.entries] for table in found] == [["alice.backup"], []]
    assert errors(found[1]) == ["duplicate-name"]


@pytest.mark.parametrize(
    ("user", "prefix"),
    [
        ("alice", "alice."),
        ("www-data", "www-data."),
        ("Bob", "0bob-"),  # beside bob: names that differ in case alone are the same
        ("a.b", "0a-b-"),  # beside a user `a` who has a job `b.c`
        ("svc$", "0svc-"),
        ("../etc", "0etc-"),  # a name is a folder of outputs
        ("1000", "01000-"),
        ("ünal", "0nal-"),
    ],
)
def test_a_users_prefix_is_readable_and_a_jobs_name(user: str, prefix: str) -> None:
    found = job_names.prefix(user)
    assert found.startswith(prefix)
    assert job_names.check(found + "x") == found + "x"


@given(st.sets(st.text(min_size=1, max_size=12), min_size=2, max_size=2))
def test_no_prefix_begins_with_that_of_another_user(users: set[str]) -> None:
    one, other = (job_names.folded(job_names.prefix(user)) for user in users)
    assert not one.startswith(other)
    assert not other.startswith(one)


# --- what only root may ask for -------------------------------------------------------------------


@pytest.mark.parametrize(
    ("text", "rules", "codes"),
    [
        ("CRON_NICE=-5 0 5 * * * x", ALICE, ["only-root"]),  # before everybody else's jobs
        ("CRON_NICE=5 0 5 * * * x", ALICE, []),
        ("CRON_NICE=-5 0 5 * * * x", ROOTS, []),
        ("- 0 5 * * * x", ALICE, None),  # five fields are six then
        ("-0 5 * * * x", ALICE, ["dash"]),  # unlogged: cronie lets root alone
        ("-0 5 * * * x", ROOTS, []),
        (f"CRON_NAME={'x' * 95} 0 5 * * * x", ALICE, ["bad-job-name"]),  # 100 with `alice.`
        (f"CRON_NAME={'x' * 94} 0 5 * * * x", ALICE, []),
    ],
)
def test_what_a_user_may_not_have_is_refused_with_its_reason(
    text: str, rules: TableRules, codes: list[str] | None
) -> None:
    table = parsed(text + "\n", rules)
    if codes is not None:
        assert errors(table) == codes
    assert bool(table.entries) is not bool(errors(table))


def test_root_may_put_a_users_job_before_others() -> None:
    table = parsed("CRON_NICE=-5 0 5 * * * alice x\n", CRONS, system=True)
    assert errors(table) == []


# --- how many -------------------------------------------------------------------------------------


JOB = "0 5 * * * x\n"


@pytest.mark.parametrize(
    ("text", "entries", "code", "line", "refuses"),
    [
        ("A=1\n" + JOB * 3 + "B=2\n" + JOB * 2, 3, "too-many-entries", 6, (6, 7)),
        (JOB * 3 + "CRON_NICE=5 " + JOB, 3, "too-many-entries", 4, (4,)),  # a setting in front
        (JOB * 3 + JOB + "#\n\nA=1\n" + "61 " + JOB, 3, "too-many-entries", 4, (4, 8)),
        ("A=1\n" * 12 + JOB, 0, "too-many-lines", 13, (13,)),  # four for each entry
        ("A=1\n" * 13 + JOB, 0, "too-many-lines", 13, (14,)),
        (JOB + "61 5 * * * x\n" * 201 + JOB, 1, "too-many-lines", 13, tuple(range(13, 204))),
    ],
)
def test_what_is_beyond_the_most_is_refused_unread_and_by_its_lines(
    text: str, entries: int, code: str, line: int, refuses: tuple[int, ...]
) -> None:
    table = parsed(text, replace(ALICE, most=3))
    assert len(table.entries) == entries
    (problem,) = (each for each in table.problems if each.code.startswith("too-many"))
    assert (problem.code, problem.line, problem.refuses) == (code, line, refuses)
    assert "--max-entries" in problem.hint
    assert table.refused >= {*refuses}


def test_a_table_of_errors_is_not_read_to_its_end() -> None:
    table = parsed("61 5 * * * x\n" * 1000, ALICE)
    assert [each.code for each in table.problems][-1] == "too-many-errors"
    assert (len(table.problems), len(table.refused)) == (202, 1000)


@pytest.mark.parametrize("text", [JOB * 3 + "#\n\n" * 90, "#\n\n" * 90 + JOB * 3 + "A=1\n"])
def test_comments_cost_nothing(text: str) -> None:
    table = parsed(text, replace(ALICE, most=3))
    assert (len(table.entries), table.problems) == (3, ())


def test_as_many_as_the_most_are_fine() -> None:
    assert parsed("0 5 * * * x\n" * 3, replace(ALICE, most=3)).problems == ()


def test_what_root_wrote_has_no_most() -> None:
    assert len(parsed("0 5 * * * root x\n" * 1500, CRONS, system=True).entries) == 1500
