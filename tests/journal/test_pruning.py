"""What is no longer kept goes, files before rows, in short steps; the rest stays as it is."""

from __future__ import annotations

from contextlib import closing
from datetime import datetime, timedelta
from typing import TYPE_CHECKING

import pytest
from pruned_journal import DAY, MINUTE, NOW, Scene
from world import World, line, when

from scheduler.journal import retention
from scheduler.journal.retention import Pruning, Retention
from scheduler.journal.rows import NoticeState
from scheduler.notice import Facts, Kind, Notice, Recipient
from scheduler.process import output_files
from scheduler.run import Reason
from scheduler.schedule.tick import Jump, JumpKind, Verdict

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path


@pytest.fixture
def scene(tmp_path: Path) -> Iterator[Scene]:
    scene = Scene(tmp_path, Retention(runs=3, age=10 * 86400))
    with closing(scene.journal):
        yield scene


# --- what goes -----------------------------------------------------------------------------------


def test_the_newest_runs_are_kept_and_the_outputs_of_the_others_go_with_them(scene: Scene) -> None:
    scene.ran(5, 4, 3, 2, 1)
    scene.pass_(120)
    assert (scene.ages(), scene.files()) == ([3, 2, 1], [3, 4, 5])


def test_what_is_too_old_goes_though_it_is_not_too_many(scene: Scene) -> None:
    scene.ran(11, 9)
    scene.pass_(120)
    assert (scene.ages(), scene.files()) == ([9], [2])


def test_of_a_job_in_a_crontab_the_newest_run_stays_however_old(scene: Scene) -> None:
    scene.ran(300, 200)
    scene.pass_(120)
    assert (scene.ages(), scene.files()) == ([200], [2])


def test_and_so_does_the_newest_that_has_an_output(scene: Scene) -> None:
    scene.ran(300)
    for age in (200, 100):
        scene.journal.skip("job", NOW - age * DAY, "UTC", Reason.OVERLAP)
    scene.pass_(120)
    assert scene.ages() == [300, 100]


def test_of_a_job_that_is_in_no_crontab_nothing_stays_nor_does_its_folder(scene: Scene) -> None:
    scene.ran(300, 200, job="gone")
    scene.pass_(120)
    assert scene.ages("gone") == []
    assert not (scene.state / "outputs/gone").exists()


def test_runs_that_are_not_over_are_never_touched(scene: Scene) -> None:
    scene.ran(4, 3, 2, 1)
    scene.claim(100)
    scene.attempt(scene.claim(90))
    scene.pass_(120)
    assert scene.ages() == [100, 90, 3, 2, 1]
    assert 6 in scene.files()


def test_skipped_instants_count_and_a_stretch_is_as_old_as_its_end(scene: Scene) -> None:
    scene.journal.skip("job", NOW - 20 * DAY, "UTC", Reason.MISSED, until=NOW - 9 * DAY)
    scene.journal.skip("job", NOW - 30 * DAY, "UTC", Reason.MISSED, until=NOW - 21 * DAY)
    scene.ran(2)
    scene.pass_(120)
    assert scene.ages() == [20, 2]


def test_each_job_has_its_own_number(scene: Scene) -> None:
    for job in ("a", "b", "c"):
        scene.ran(4, 3, 2, 1, job=job)
    scene.pass_(120)
    assert [scene.ages(job) for job in ("a", "b", "c")] == [[3, 2, 1]] * 3


def test_jumps_go_by_age_and_number(scene: Scene, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(retention, "JUMPS", 3)
    for age in (20, 5, 4, 3, 2):
        at = NOW - age * DAY
        scene.journal.daemon_state.jump(Jump(JumpKind.DOWN, at - MINUTE, at, 60, Verdict.REPLAYED))
    scene.pass_(120)
    assert [(NOW - jump.at) / DAY for jump in scene.journal.queries.jumps()] == [4, 3, 2]


def test_what_was_sent_goes_after_a_week_and_what_was_given_up_after_a_month(scene: Scene) -> None:
    outbox = scene.journal.outbox
    for _ in range(7):
        outbox.add(Notice("|tell", Kind.FAILURE, NOW - 40 * DAY, Facts("job", "", "", 1, "UTC")))
    outbox.take(Recipient("|tell"))
    rows = outbox.of_delivery(1)
    ends = (
        (NoticeState.SENT, 8),
        (NoticeState.SENT, 6),
        (NoticeState.FAILED, 31),
        (NoticeState.FAILED, 29),
        (NoticeState.FAILED, -29),  # in a clock's wrong future
        (NoticeState.FAILED, -31),
    )
    for row, (state, age) in zip(rows, ends, strict=False):
        outbox.end([row], state, NOW - age * DAY)
    scene.pass_(120)
    assert [row.number for row in outbox.notices()] == [2, 4, 5, 7]  # the last is not over


def test_what_was_told_of_a_job_goes_when_the_job_and_its_runs_are_gone(scene: Scene) -> None:
    scene.ran(1, job="kept")
    for job in ("job", "kept", "gone"):
        scene.journal.outbox.set_state(job, "announced")
    scene.pass_(120)
    assert scene.journal.outbox.jobs() == ["job", "kept"]


def test_one_who_keeps_everything_looks_at_nothing(tmp_path: Path) -> None:
    scene = Scene(tmp_path, None)
    scene.ran(5000, 4000)
    scene.pass_(120)
    assert scene.ages() == [5000, 4000]
    scene.journal.close()


# --- files that nobody knows ---------------------------------------------------------------------


def test_old_outputs_of_runs_that_no_journal_knows_go(scene: Scene) -> None:
    scene.file(7, age=11)
    scene.file(8, age=9)
    scene.file(9, job="other", age=11)
    scene.pass_(120)
    assert scene.files() == [8]
    assert not (scene.state / "outputs/other").exists()


def test_a_number_alone_does_not_make_an_output_known(scene: Scene) -> None:
    """A journal that was thrown away began to count anew."""
    scene.ran(1)
    old = (scene.file(1, job="other", age=11), scene.file(1, number=2, age=11))
    scene.pass_(120)
    assert [path.exists() for path in old] == [False, False]
    assert scene.files() == [1]


def test_every_file_is_met_once_after_a_start_and_once_a_day(scene: Scene) -> None:
    scene.file(7)
    scene.pass_(86400)
    assert len(scene.met) == 1
    scene.pass_(1500)
    assert len(scene.met) == 2


# --- how much at once ----------------------------------------------------------------------------


def test_nothing_to_do_is_no_wake_up_and_no_write(scene: Scene) -> None:
    scene.ran(3, 2, 1)
    scene.pass_(120)
    before = scene.journal.connection._sqlite.total_changes
    for _ in range(60):
        scene.pass_(60)
        assert scene.pruning.next_step() is None
    assert scene.journal.connection._sqlite.total_changes == before


@pytest.mark.parametrize(("costly", "batch"), [("files", 100), ("files", 1), ("rows", 5)], ids=str)
def test_a_step_is_short_and_the_next_follows_soon_while_there_is_more(
    scene: Scene, monkeypatch: pytest.MonkeyPatch, costly: str, batch: int
) -> None:
    """Ten runs are a step, whatever it is of them that takes long."""
    forget, remove = scene.journal.old_runs.forget, output_files.remove

    def forgets(number: int) -> None:
        scene.clock.advance(retention._STEP_TIME / 10 if costly == "rows" else 0)
        forget(number)

    def removes(path: Path) -> None:
        scene.clock.advance(retention._STEP_TIME / 10 if costly == "files" else 0)
        remove(path)

    monkeypatch.setattr(retention, "_RUNS_AT_ONCE", batch)
    monkeypatch.setattr(scene.journal.old_runs, "forget", forgets)
    monkeypatch.setattr(output_files, "remove", removes)
    scene.ran(*(n / 1440 for n in range(103, 0, -1)))
    scene.clock.advance(60)
    left = []
    for _ in range(20):
        scene.pruning.step(scene.jobs)
        left.append((len(scene.ages()), len(scene.files())))
        if (wait := scene.pruning.next_step()) is None:
            break
        assert wait <= 1
        scene.clock.advance(wait)
    assert left[:-1] == [(n, n) for n in range(93, 0, -10)]
    assert left[-1] == (3, 3)


def test_a_job_that_comes_with_a_reload_is_spared_its_newest_run(
    scene: Scene, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A walk can last for hours: what it began with is not what is in the crontabs now."""
    monkeypatch.setattr(retention, "_STEP_TIME", 0)
    for job in ("a", "b", "c"):
        scene.ran(300, 200, job=job)
    scene.pass_(61)
    assert scene.ages("a") == []
    scene.jobs = {"c"}
    scene.pass_(600)
    assert [scene.ages(job) for job in ("a", "b", "c")] == [[], [], [200]]


def test_a_walk_goes_on_where_it_stopped(scene: Scene, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(retention, "_STEP_TIME", 0)
    for job in ("a", "b", "c"):
        scene.ran(2, 1, job=job)
    asked: list[str] = []
    nth_newest = scene.journal.old_runs.nth_newest

    def told(job: str, number: int) -> tuple[int, datetime] | None:
        asked.append(job)
        return nth_newest(job, number)

    monkeypatch.setattr(scene.journal.old_runs, "nth_newest", told)
    scene.pass_(241)
    assert asked == ["a", "b", "c"]


# --- within a daemon -----------------------------------------------------------------------------


def test_a_daemon_keeps_what_it_was_told_to(monkeypatch: pytest.MonkeyPatch) -> None:
    """After a walk the two newest of those that are over, and then all that come until the next."""
    walks: list[list[str]] = []
    step = Pruning.step

    def told(self: Pruning, jobs: set[str]) -> None:
        before = world.history("job")
        step(self, jobs)
        if (after := world.history("job")) != before:
            walks.append(after)

    monkeypatch.setattr(Pruning, "step", told)
    world = World(line("job", "* * * * *"), now="12:00:10", kept=Retention(runs=2))
    world.runs_until("12:30:30")

    def ran(first: int, last: int) -> list[str]:
        return [f"12:{minute:02} succeeded: exit 0" for minute in range(first, last + 1)]

    assert walks == [
        [*ran(10, 11), "12:12 running: open"],  # the walk before, at 12:02, found no more than two
        [*ran(20, 21), "12:22 running: open"],
    ]
    assert world.history("job") == ran(20, 30)


def test_no_step_is_made_between_a_minutes_preparation_and_its_start(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    steps: list[datetime] = []
    step = Pruning.step

    def told(self: Pruning, jobs: set[str]) -> None:
        steps.append(world.clock.now())
        step(self, jobs)

    monkeypatch.setattr(Pruning, "step", told)
    world = World(line("job", "*/2 * * * *"), now="12:00:10", kept=Retention(runs=2))
    world.runs_until("12:10:30")
    assert steps
    prepared = [(when(f"12:{minute:02}:00") - timedelta(seconds=1), when(f"12:{minute:02}:00")) for minute in range(2, 11, 2)]  # fmt: skip
    assert [at for at in steps for start, end in prepared if start < at < end] == []
