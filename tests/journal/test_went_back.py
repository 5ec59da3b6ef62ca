"""A journal that went back: how it is known, what is taken over from it, and what is not.

What the real daemon does when it has lost its log is in whole/test_went_back_live.
"""

from __future__ import annotations

import shutil
import tracemalloc
from contextlib import closing
from typing import TYPE_CHECKING

import pytest
from lost_journal import BOOT, DAY, MINUTE, NOON, Scene, has_lost_old_rows, is_text, ran

from scheduler.errors import JournalBehind, JournalDamaged
from scheduler.journal import high_water
from scheduler.journal.high_water import HighWater
from scheduler.journal.journal import Journal
from scheduler.process.output_files import output_of
from scheduler.run import Attempt, Reason, Run, State

if TYPE_CHECKING:
    from collections.abc import Callable
    from pathlib import Path


@pytest.fixture
def scene(tmp_path: Path) -> Scene:
    """A journal with a past, which is told of."""
    scene = Scene(tmp_path)
    scene.lives()
    lives_on(scene, lambda _: None)
    return scene


def lives_on(scene: Scene, act: Callable[[Journal], None]) -> None:
    with closing(Journal.open(scene.path)) as journal:
        journal.tell(high_water.beside(scene.path))
        with journal.transaction():
            act(journal)


def goes_back(scene: Scene, act: Callable[[Journal], None]) -> None:
    """Let the journal not know of something that has been."""
    copy = scene.path.read_bytes()
    lives_on(scene, act)
    scene.path.write_bytes(copy)


def begins(scene: Scene) -> Journal:
    """Let the next daemon begin, and return its journal."""
    scene.repair.keep(lambda: None)
    return Journal.open(scene.path)


def is_renewed(scene: Scene) -> bool:
    begins(scene).close()
    return any('"renewed"' in line for line in scene.lines)


# --- how it is known -----------------------------------------------------------------------------


def claims(journal: Journal) -> None:
    assert journal.claim("new", NOON + MINUTE, "UTC") is not None


def ends(journal: Journal) -> None:
    """No run is new, but one is over."""
    (left,) = journal.unfinished()
    journal.finish(left.run, State.FAILED, Reason.EXHAUSTED)


def handles(journal: Journal) -> None:
    journal.daemon_state.set_last_tick(NOON + MINUTE)


@pytest.mark.parametrize("act", [claims, ends, handles])
def test_whatever_is_lost_is_missed(scene: Scene, act: Callable[[Journal], None]) -> None:
    goes_back(scene, act)
    with pytest.raises(JournalBehind, match=r"went back: it has \d+ commits? and runs up to"):
        scene.repair.check()
    assert is_renewed(scene)


def test_without_the_record_an_outputs_number_tells_it(scene: Scene) -> None:
    goes_back(scene, claims)
    high_water.beside(scene.path).unlink()
    scene.repair.check()  # there is no output of it
    output = scene.state / "outputs" / "new" / "4003.1.log"
    output.parent.mkdir(parents=True)
    output.touch()
    with pytest.raises(JournalBehind, match=r"runs up to number 4002, it had 0 and .* 4003"):
        scene.repair.check()


def has_another_programs_file(scene: Scene) -> None:
    output = scene.state / "outputs" / "new" / "999999999999999999.1.log"
    output.parent.mkdir(parents=True)
    output.touch()


def is_whole(scene: Scene) -> None:
    lives_on(scene, claims)


def is_an_old_backup_of_all(scene: Scene) -> None:
    shutil.copytree(scene.state, scene.state / "backup")
    lives_on(scene, claims)
    for name in ("journal.db", high_water.HIGH_WATER_NAME):
        shutil.copy(scene.state / "backup" / name, scene.state / name)
    shutil.rmtree(scene.state / "backup")


def has_a_record_that_is_older(scene: Scene) -> None:
    """A loss of power may take what waits for no disk."""
    copy = high_water.beside(scene.path).read_bytes()
    lives_on(scene, claims)
    high_water.beside(scene.path).write_bytes(copy)


def has_no_record(scene: Scene) -> None:
    high_water.beside(scene.path).unlink()


def has_a_record_without_sense(scene: Scene) -> None:
    high_water.beside(scene.path).write_text("meridian 1 commits 9999999999999999999\n")


def has_a_record_of_a_year_that_never_comes(scene: Scene) -> None:
    high_water.write(high_water.beside(scene.path), HighWater(10**6, 10**6, 10**15))


@pytest.mark.parametrize("what", [has_a_record_of_a_year_that_never_comes, is_whole, is_an_old_backup_of_all, has_a_record_that_is_older, has_no_record, has_a_record_without_sense, has_another_programs_file])  # fmt: skip
def test_these_go_on_as_they_are(scene: Scene, what: Callable[[Scene], None]) -> None:
    what(scene)
    assert not is_renewed(scene)
    with closing(Journal.open(scene.path)) as journal:
        assert len(journal.queries.history()) > 4000


@pytest.mark.parametrize("has_outputs", [True, False])
def test_a_journal_that_its_user_deletes_is_begun_blind(scene: Scene, *, has_outputs: bool) -> None:
    if has_outputs:
        scene.starts("long", 4002)
    scene.path.unlink()
    with closing(begins(scene)) as journal:
        assert journal.daemon_state.last_tick() == NOON
        assert journal.daemon_state.booted("any", BOOT)
        run = journal.claim("new", NOON + DAY, "UTC")
        assert run is not None
        assert run.number == 4003
    assert scene.aside() == []
    assert not any("went_back" in line for line in scene.lines)


@pytest.mark.parametrize(
    "name", ["journal.db.damaged-20270101T000000Z", high_water.HIGH_WATER_NAME]
)
def test_one_that_is_begun_where_no_run_ever_had_a_number_is_whole(
    tmp_path: Path, name: str
) -> None:
    scene = Scene(tmp_path)
    high_water.write(tmp_path / name, HighWater(12, 0, 0))
    with closing(begins(scene)) as journal:
        journal.integrity.examine()


def test_a_daemon_that_was_killed_in_its_first_second_has_left_no_damage(tmp_path: Path) -> None:
    scene = Scene(tmp_path)
    with closing(Journal.open(scene.path)) as journal:
        run = journal.claim("boot", NOON, "UTC")
        assert run is not None
        journal.claim_attempt(run, 1, output_of(Attempt(run, 1)))
        journal.integrity.examine()
        journal.finish(run, State.SUCCEEDED)
        with pytest.raises(JournalDamaged, match="no minute that was handled"):
            journal.integrity.examine()


# --- what comes of it ----------------------------------------------------------------------------


def test_a_long_history_is_looked_through_and_not_held(scene: Scene) -> None:
    """A thousand runs of a thousand jobs would take more memory than a small machine has."""
    with closing(Journal.open(scene.path, readonly=True)) as journal:
        tracemalloc.start()
        journal.integrity.check_whole()
        _, most = tracemalloc.get_traced_memory()
        tracemalloc.stop()
        assert most < 500_000  # bytes: some 120 of each run


def test_of_one_that_is_damaged_too_the_last_day_is_taken_over(scene: Scene) -> None:
    goes_back(scene, ends)
    has_lost_old_rows(scene.path)
    with closing(begins(scene)) as journal:
        assert journal.unfinished() == []
        assert [row.run.job for row in journal.queries.history()] == ["new"]


def test_what_is_over_and_the_pauses_are_taken_over_and_what_was_open_is_not(scene: Scene) -> None:
    goes_back(scene, ends)
    with closing(begins(scene)) as journal:
        assert {row.run.job for row in journal.queries.history()} == {"old", "new"}
        assert journal.unfinished() == []  # it may be over since then: here it is
        assert [pause.note for pause in journal.daemon_state.pauses()] == ["holiday"]
        assert journal.daemon_state.anchor("every", 90) == NOON - MINUTE
        assert journal.daemon_state.last_tick() == NOON  # the minute that it is
        assert journal.daemon_state.booted("any", BOOT)
    assert len(scene.aside()) == 1
    assert '"went_back": 1' in scene.lines[-1]


def test_what_lives_is_found_though_the_old_journal_knows_another_end_of_it(scene: Scene) -> None:
    """Its run had failed; then its user tried it again, and that attempt lives."""
    pid = scene.starts("new", 4001)
    goes_back(scene, claims)
    with closing(begins(scene)) as journal:
        (left,) = journal.unfinished()
        assert (left.run.number, left.run.job) == (4001, "new")
        assert [each.pid for each in left.attempts] == [pid]


def test_numbers_go_on_behind_all_that_were_given(scene: Scene) -> None:
    def many(journal: Journal) -> None:
        for n in range(1, 6):
            ran(journal, "many", NOON + n * MINUTE)

    goes_back(scene, many)
    with closing(begins(scene)) as journal:
        run = journal.claim("any", NOON + DAY, "UTC")
        assert run is not None
        assert run.number == 4008


def test_minutes_that_a_clock_which_is_behind_now_has_handled_do_not_come_again(
    scene: Scene,
) -> None:
    goes_back(scene, lambda journal: journal.daemon_state.set_last_tick(NOON + 90 * MINUTE))
    with closing(begins(scene)) as journal:
        assert journal.daemon_state.last_tick() == NOON + 90 * MINUTE


def test_the_new_one_has_come_as_far_as_the_old_one_had(scene: Scene) -> None:
    """Else the next start would take it for an older one."""
    goes_back(scene, claims)
    told = high_water.read(high_water.beside(scene.path))
    begins(scene).close()
    assert not Journal.reached_at(scene.path).is_behind(told)
    scene.repair.check()


@pytest.mark.parametrize("is_behind", [False, True])
def test_of_a_damaged_one_that_went_back_too_nothing_open_is_taken(
    scene: Scene, *, is_behind: bool
) -> None:
    if is_behind:
        goes_back(scene, ends)
    has_lost_old_rows(scene.path)
    scene.repair.renew(JournalDamaged("a page of it"))
    with closing(Journal.open(scene.path)) as journal:
        left = [left.run.job for left in journal.unfinished()]
        assert left == ([] if is_behind else ["retried"])
    scene.repair.check()


def test_one_of_which_nothing_can_be_read_goes_on_behind_the_record(scene: Scene) -> None:
    lives_on(scene, claims)
    is_text(scene.path)
    scene.repair.renew(JournalDamaged("it is a text"))
    told = high_water.read(high_water.beside(scene.path))
    assert told != HighWater()
    assert not Journal.reached_at(scene.path).is_behind(told)


def test_a_claim_of_what_an_older_journal_knew_takes_the_place_of_what_is_there(
    scene: Scene,
) -> None:
    with closing(Journal.open(scene.path)) as journal:
        attempt = Attempt(Run(4001, "new", NOON), 2)
        assert journal.restore(attempt, output_of(attempt), replaces=True)
        row = journal.queries.run(4001)
        assert row is not None
        assert (row.state, [each.number for each in row.attempts]) == (State.RUNNING, [2])
