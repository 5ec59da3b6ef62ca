"""A damaged journal: moved aside, begun anew, and nothing of it done twice."""

from __future__ import annotations

import re
import sqlite3
from contextlib import closing
from dataclasses import dataclass, field, replace
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING, Any

import pytest
from fakes import Act, FakeSpawner
from frail_journal import FrailJournal
from lost_journal import (
    BOOT,
    DAY,
    MINUTE,
    NOON,
    NOW,
    PAGE,
    Scene,
    has_lost_old_rows,
    is_text,
    overwritten,
)
from world import World, line

from scheduler.errors import JournalDamaged, MeridianError
from scheduler.journal import sql
from scheduler.journal.daemon_state import DaemonState
from scheduler.journal.high_water import HighWater
from scheduler.journal.journal import Journal
from scheduler.journal.salvage import NEWEST, OPEN, RECENT, REST, RunsTaken, Salvage, Taken
from scheduler.process.launch import Launch
from scheduler.run import Attempt, Exited, Run, State
from scheduler.system import state_files

if TYPE_CHECKING:
    from collections.abc import Callable

TAKEN = (*OPEN, *RECENT, *NEWEST, *(take for take, _ in REST.values()))


@pytest.fixture
def scene(tmp_path: Path) -> Scene:
    return Scene(tmp_path)


# --- damages -------------------------------------------------------------------------------------


def has_no_header(path: Path) -> None:
    overwritten(path, 0, 100)


def is_cut_in_half(path: Path) -> None:
    with path.open("r+b") as file:
        file.truncate(path.stat().st_size // 2 // PAGE * PAGE)


def is_overwritten_behind_its_first_page(path: Path) -> None:
    overwritten(path, PAGE, path.stat().st_size - PAGE, b"\xff")


def has_lost_its_first_page(path: Path) -> None:
    overwritten(path, 100, PAGE - 100)


TOTAL = [is_text, has_no_header, is_cut_in_half, is_overwritten_behind_its_first_page, has_lost_its_first_page]  # fmt: skip


@pytest.mark.parametrize("damage", [*TOTAL, has_lost_old_rows])
def test_each_of_these_is_called_a_damage_by_whoever_reads_it(
    scene: Scene, damage: Callable[[Path], None]
) -> None:
    scene.lives()
    damage(scene.path)
    with pytest.raises(JournalDamaged, match="the daemon moves it aside"):
        read_all(scene.path)


def read_all(path: Path) -> None:
    with closing(Journal.open(path)) as journal:
        journal.unfinished()
        journal.daemon_state.last_tick()
        journal.queries.history()


@pytest.mark.parametrize(
    "statement",
    [
        "UPDATE attempt SET outcome = 'exit none' WHERE outcome IS NOT NULL",
        "UPDATE attempt SET outcome = CAST(x'ff' AS TEXT) WHERE outcome IS NOT NULL",
        "UPDATE run SET reason = 'none'",
    ],
)
def test_what_nobody_wrote_is_a_damage_too(scene: Scene, statement: str) -> None:
    scene.lives()
    with closing(sqlite3.connect(scene.path, isolation_level=None)) as connection:
        connection.execute(statement)
    with closing(Journal.open(scene.path)) as journal, pytest.raises(JournalDamaged):
        journal.unfinished()


# --- what comes of it ----------------------------------------------------------------------------


@pytest.mark.parametrize("damage", [*TOTAL, has_lost_old_rows])
def test_the_damaged_file_is_kept_as_it_is_and_a_new_one_is_whole(
    scene: Scene, damage: Callable[[Path], None]
) -> None:
    scene.lives()
    damage(scene.path)
    before = scene.path.read_bytes()
    with closing(scene.renews()) as journal:
        (row,) = journal.connection._sqlite.execute("PRAGMA integrity_check").fetchall()
        assert row == ("ok",)
        assert journal.claim("any", NOON + DAY, "UTC") is not None
    (aside,) = scene.aside()
    assert aside.name == "journal.db.damaged-20270301T120030Z"
    assert aside.read_bytes() == before
    assert scene.path.stat().st_mode & 0o777 == 0o600


def test_what_a_daemon_needs_is_taken_over_where_it_can_be_read(scene: Scene) -> None:
    scene.lives()
    has_lost_old_rows(scene.path)
    with closing(scene.renews()) as journal:
        assert journal.daemon_state.last_tick() == NOON
        (left,) = journal.unfinished()
        assert (left.run.number, left.run.job, left.due) == (4002, "retried", NOON + 10 * MINUTE)
        assert [each.outcome for each in left.attempts] == [Exited(1)]
        assert journal.daemon_state.anchor("every", 90) == NOON - MINUTE
        assert (
            journal.daemon_state.booted("reboot", BOOT),
            journal.daemon_state.booted("other", BOOT),
        ) == (True, False)
        assert journal.old_runs.reckoning() == NOON
        assert [pause.note for pause in journal.daemon_state.pauses()] == ["holiday"]
        assert len(journal.queries.jumps()) == 1
        assert journal.claim("new", NOON, "UTC") is None  # it has run
        assert [row.run.job for row in journal.queries.history()] == ["retried", "new"]
        run = journal.claim("any", NOON, "UTC")
        assert run is not None
        assert run.number > 4002
    assert '"taken_over": 1' in scene.lines[-1]


@pytest.mark.parametrize("damage", TOTAL)
def test_otherwise_everything_up_to_now_counts_as_done(
    scene: Scene, damage: Callable[[Path], None]
) -> None:
    scene.lives()
    for name in ("outputs/old/4000.1.log", "outputs/new/4001.2.log"):
        (scene.state / name).parent.mkdir(parents=True, exist_ok=True)
        (scene.state / name).touch()
    damage(scene.path)
    with closing(scene.renews()) as journal:
        assert journal.daemon_state.last_tick() == NOON  # the minute that it is
        assert journal.daemon_state.booted("reboot", BOOT)
        assert journal.daemon_state.booted("any other", BOOT)
        assert not journal.daemon_state.booted("reboot", "the next boot")
        run = journal.claim("any", NOON + MINUTE, "UTC")
        assert run is not None
        assert run.number == 4002  # so that no output is overwritten
    assert '"taken_over": 0' in scene.lines[-1]
    assert '"level": "error"' in scene.lines[-1]


def test_jobs_that_still_run_are_found_by_their_environment_and_keep_their_numbers(
    scene: Scene,
) -> None:
    pid = scene.starts("long", 7)
    scene.starts("other", 8, has_output=False)  # that of another daemon's state
    is_text(scene.path)
    with closing(scene.renews()) as journal:
        (left,) = journal.unfinished()
        assert (left.run, left.state) == (Run(7, "long", NOON), State.RUNNING)
        (attempt,) = left.attempts
        assert (attempt.pid, attempt.pid_started) == (pid, scene.spawner.started_at(pid))
        assert attempt.output == "outputs/long/7.1.log"
        assert journal.claim("long", NOON, "UTC") is None


def test_a_second_damage_soon_after_is_the_disks(scene: Scene) -> None:
    is_text(scene.path)
    scene.renews().close()
    scene.clock.advance(599)
    with pytest.raises(MeridianError, match="look at the disk"):
        scene.renews()
    scene.clock.advance(2)
    scene.renews().close()
    assert len(scene.aside()) == 2


@pytest.mark.parametrize("place", ["run", "run_open"])
def test_a_run_whose_name_is_damaged_in_one_place_is_not_taken_for_another_jobs(
    scene: Scene, place: str
) -> None:
    """What lives of it would be started beside itself; nobody can tell which name is right."""
    scene.lives()
    with closing(sqlite3.connect(scene.path)) as connection:
        ((page,),) = connection.execute(
            "SELECT rootpage FROM sqlite_schema WHERE name = 'run_open'"
        ).fetchall()
    data = scene.path.read_bytes()
    index = data.index(b"retried", (page - 1) * PAGE, page * PAGE)
    (row,) = [
        match.start() for match in re.finditer(rb"retried.{4,8}Europe/Berlin", data, re.DOTALL)
    ]
    at = row if place == "run" else index
    scene.path.write_bytes(data[:at] + b"s" + data[at + 1 :])
    with closing(scene.renews()) as journal:
        assert journal.unfinished() == []
        assert journal.daemon_state.last_tick() == NOON
    assert '"taken_over": 0' in scene.lines[-1]


def test_what_was_taken_over_and_is_damaged_is_not_taken_over_again(scene: Scene) -> None:
    """It may have brought its damage along."""
    scene.lives()
    has_lost_old_rows(scene.path)
    scene.renews().close()
    scene.renews().close()
    told = [line for line in scene.lines if '"renewed"' in line]
    assert ['"taken_over": 1' in line for line in told] == [True, False]
    with pytest.raises(MeridianError, match="look at the disk"):
        scene.renews()


def test_no_damaged_journal_is_overwritten_by_another(scene: Scene) -> None:
    is_text(scene.path)
    scene.renews().close()
    scene.repair._last = None
    scene.renews().close()
    assert [path.name for path in scene.aside()] == [
        "journal.db.damaged-20270301T120030Z",
        "journal.db.damaged-20270301T120030Z.1",
    ]


def test_what_belongs_to_the_database_goes_with_it(scene: Scene) -> None:
    is_text(scene.path)
    for part in ("-wal", "-shm"):
        scene.path.with_name(f"journal.db{part}").write_text(part)
    scene.renews().close()
    aside = scene.state / "journal.db.damaged-20270301T120030Z-wal"
    assert aside.exists()
    assert not scene.path.with_name("journal.db-wal").exists()


class Killed(BaseException):
    """The daemon is killed."""


@dataclass
class Killer:
    """Kills at the nth step that a repair takes, before it is taken."""

    patch: pytest.MonkeyPatch
    number: int = 0
    steps: int = 0
    left_open: list[Callable[[], object]] = field(default_factory=list)

    def __post_init__(self) -> None:
        for name in ("rename", "remove"):
            self._count(state_files, name)
        for name in ("count_from", "restore", "close"):
            self._count(Journal, name)
        for name in ("set_last_tick", "set_booted"):
            self._count(DaemonState, name)
        self._count(Salvage, "take_over")
        self._count(FakeSpawner, "survivors")

    def _count(self, owner: object, name: str) -> None:
        real = getattr(owner, name)

        def step(*words: Any, **named: Any) -> Any:
            self.steps += 1
            if self.steps == self.number:
                if name == "close":
                    self.left_open.append(partial(real, *words))
                raise Killed
            return real(*words, **named)

        self.patch.setattr(owner, name, step)


def steps(scene: Scene, act: Callable[[], object], number: int = 0) -> int:
    """Do it, killed at this step; returns how many steps there were."""
    with pytest.MonkeyPatch.context() as patch:
        killer = Killer(patch, number)
        try:
            act()
        except Killed:
            assert killer.steps >= number > 0
            for close in killer.left_open:  # the system does when a process ends
                close()
    scene.repair._last = None  # the next daemon knows of none
    return killer.steps


def next_daemon(scene: Scene) -> None:
    """Begin as a daemon does, and read all that is in its journal."""
    scene.repair.begin()
    try:
        read_all(scene.path)
    except JournalDamaged as damage:
        scene.repair.renew(damage)


def known(path: Path) -> list[object]:
    """What a daemon goes on from; sound, and with numbers that no run has had."""
    with closing(Journal.open(path)) as journal:
        assert journal.connection._sqlite.execute("PRAGMA integrity_check").fetchall() == [("ok",)]
        run = journal.claim("any", NOON + DAY, "UTC")
        runs = [(row.run, row.state, row.reason) for row in journal.queries.history()]
        boots = [journal.daemon_state.booted(job, BOOT) for job in ("reboot", "other")]
        return [
            run,
            runs,
            boots,
            journal.daemon_state.last_tick(),
            journal.unfinished(),
            journal.daemon_state.pauses(),
        ]


def has_a_log(scene: Scene) -> None:
    """Let the last thing that the journal heard of be in its log only, as after a kill."""
    with closing(Journal.open(scene.path)) as journal:
        log = scene.path.with_name("journal.db-wal")
        whole = scene.path.read_bytes()
        journal.daemon_state.set_last_tick(NOON + MINUTE)
        assert journal.claim("last", NOON + MINUTE, "UTC") is not None
        kept = log.read_bytes()
    scene.path.write_bytes(whole)
    log.write_bytes(kept)


def parts(path: Path) -> list[Path]:
    return [path, path.with_name(f"{path.name}-wal")]


def scene_of(folder: Path, damage: Callable[[Path], None]) -> Scene:
    folder.mkdir()
    scene = Scene(folder)
    scene.lives()
    scene.starts("long", 4003)
    has_a_log(scene)
    damage(scene.path)
    return scene


@pytest.mark.parametrize("damage", [is_text, has_lost_old_rows])
def test_wherever_a_repair_is_killed_the_next_daemon_knows_as_much(
    tmp_path: Path, damage: Callable[[Path], None]
) -> None:
    scene = scene_of(tmp_path / "0", damage)
    total = steps(scene, lambda: next_daemon(scene))
    told = known(scene.path)
    assert ("last" in str(told)) == (damage is has_lost_old_rows)
    assert "long" in str(told) or damage is has_lost_old_rows  # which its journal did not know
    for number in range(1, total + 1):
        scene = scene_of(tmp_path / str(number), damage)
        before = [path.read_bytes() for path in parts(scene.path)]
        steps(scene, partial(next_daemon, scene), number)
        next_daemon(scene)
        (aside,) = scene.aside()
        assert known(scene.path) == told, number
        kept = [path.read_bytes() for path in parts(aside)]
        assert kept == before or damage is has_lost_old_rows  # whose log SQLite has written into it
        left = [path.name for path in scene.state.iterdir() if ".damaged-" not in path.name]
        assert sorted(left) == ["journal.db", "outputs"], number


def test_wherever_it_is_killed_when_there_was_no_journal_the_next_one_knows_that(
    tmp_path: Path,
) -> None:
    def gone(number: int) -> Scene:
        scene = scene_of(tmp_path / str(number), lambda path: path.unlink())
        assert scene.path.with_name("journal.db-wal").exists()
        return scene

    scene = gone(0)
    total = steps(scene, scene.repair.begin)
    told = known(scene.path)
    assert "long" in str(told)
    for number in range(1, total + 1):
        scene = gone(number)
        steps(scene, scene.repair.begin, number)
        scene.repair.begin()
        assert known(scene.path) == told, number


def test_one_that_was_moved_before_is_no_first_start(scene: Scene) -> None:
    """Without an output, and with no new one: a journal was here all the same."""
    scene.path.with_name("journal.db.damaged-20270228T120000Z").touch()
    next_daemon(scene)
    with closing(Journal.open(scene.path)) as journal:
        assert journal.daemon_state.last_tick() == NOON
        assert journal.daemon_state.booted("any", BOOT)


def test_what_belongs_to_no_journal_is_given_to_none(scene: Scene) -> None:
    """SQLite would take an old log for that of the new journal."""
    scene.lives()
    scene.starts("long", 7)
    has_a_log(scene)
    scene.path.unlink()
    next_daemon(scene)
    assert known(scene.path)[3] == NOON
    assert scene.aside() == []
    assert len(list(scene.state.glob("journal.db.damaged-*-wal"))) == 1


def test_one_that_can_not_be_written_to_its_end_takes_no_place(
    scene: Scene, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Its log would have to go with it: another reader stands for a disk without room here."""
    others: list[sqlite3.Connection] = []

    def reads(*_: object) -> dict[Attempt, int]:
        others.append(sqlite3.connect(scene.path.with_name("journal.db.half")))
        others[0].execute("SELECT * FROM run").fetchall()
        return {}

    is_text(scene.path)
    monkeypatch.setattr(FakeSpawner, "survivors", reads)
    with pytest.raises(MeridianError, match="can't be written to its end"):
        scene.renews()
    others[0].close()
    assert scene.path.read_text().startswith("30 7")


def test_where_it_can_not_be_moved_nothing_is_begun(
    scene: Scene, monkeypatch: pytest.MonkeyPatch
) -> None:
    def refused(path: Path, target: Path) -> None:
        if ".damaged-" in target.name:
            raise OSError(30, "Read-only file system")
        real(path, target)

    real = state_files.rename
    is_text(scene.path)
    with monkeypatch.context() as accident:
        accident.setattr(state_files, "rename", refused)
        with pytest.raises(MeridianError, match="can't be begun anew: Read-only"):
            scene.renews()
    assert scene.path.read_text().startswith("30 7")
    scene.repair.begin()
    assert [path.name for path in scene.state.iterdir()] == ["journal.db"]


def test_outputs_that_can_not_be_read_are_not_none(
    scene: Scene, monkeypatch: pytest.MonkeyPatch
) -> None:
    def refused(*_: object) -> None:
        raise OSError(24, "Too many open files")

    scene.starts("long", 7)
    with monkeypatch.context() as accident:
        accident.setattr("os.scandir", refused)
        with pytest.raises(MeridianError, match="can't be begun anew: Too many open files"):
            scene.repair.begin()
    assert not scene.path.exists()


@pytest.mark.parametrize("is_there", [False, True], ids=["deleted", "emptied"])
def test_a_journal_that_is_gone_from_its_outputs_is_begun_likewise(
    scene: Scene, is_there: bool
) -> None:
    pid = scene.starts("long", 7)
    if is_there:
        scene.path.touch()
    scene.repair.begin()
    with closing(Journal.open(scene.path)) as journal:
        assert journal.daemon_state.last_tick() == NOON
        assert journal.daemon_state.booted("any", BOOT)
        assert [left.attempts[0].pid for left in journal.unfinished()] == [pid]
    assert '"level": "error"' in scene.lines[-1]
    assert scene.aside() == []


@pytest.mark.parametrize("has_journal", [False, True])
def test_a_first_daemon_begins_as_ever(scene: Scene, has_journal: bool) -> None:
    if has_journal:
        scene.lives()
        scene.starts("long", 7)
    else:
        (scene.state / "outputs").mkdir()
    before = scene.path.read_bytes() if has_journal else None
    scene.repair.begin()
    assert (scene.path.read_bytes() if has_journal else None) == before
    assert scene.path.exists() == has_journal
    assert scene.lines == []


# --- the statements ------------------------------------------------------------------------------


def test_every_column_of_what_is_taken_is_taken(scene: Scene) -> None:
    with closing(Journal.open(scene.path)) as journal:
        for name in TAKEN:
            statement = sql.statements()[name]
            found = re.search(r"INSERT INTO (\w+) \(([^)]*)\)", statement)
            assert found is not None
            table, columns = found.groups()
            rows = journal.connection._sqlite.execute(
                f"SELECT name FROM pragma_table_info('{table}')"
            )
            assert {column.strip() for column in columns.split(",")} == {n for (n,) in rows}, name


def test_of_a_large_journal_only_what_is_needed_is_read(scene: Scene) -> None:
    scene.lives()
    with closing(Journal.open(scene.state / "other.db")) as journal:
        connection = journal.connection._sqlite
        connection.execute("ATTACH ? AS old", [str(scene.path)])
        for name in TAKEN:
            values: dict[str, Any] = {"since": 1}
            plan = connection.execute(f"EXPLAIN QUERY PLAN {sql.statements()[name]}", values)
            steps = [step for *_, step in plan]
            assert not re.search(r"SCAN (run|attempt)\b(?!.*INDEX)", ";".join(steps)), name


def test_half_a_takeover_is_none(scene: Scene) -> None:
    scene.lives()
    with closing(sqlite3.connect(scene.path, isolation_level=None)) as connection:
        connection.execute("UPDATE attempt SET outcome = 'exit none' WHERE run = 4002")
    with closing(Journal.open(scene.state / "other.db")) as journal:
        taken = journal.salvage.take_over(scene.path, since=NOW - DAY, known=HighWater())
        assert taken == Taken(lost=frozenset())
        assert (journal.daemon_state.last_tick(), journal.queries.history()) == (None, [])
        assert [pause.note for pause in journal.daemon_state.pauses()] == [
            "holiday"
        ]  # they make sense alone
    with closing(Journal.open(scene.state / "third.db")) as journal:
        assert (
            journal.salvage.take_over(intact(scene), since=NOW - DAY, known=HighWater()).runs
            is RunsTaken.ALL
        )
        assert journal.daemon_state.last_tick() == NOON


def intact(scene: Scene) -> Path:
    other = Scene(scene.state / "intact")
    other.state.mkdir()
    other.lives()
    return other.path


# --- within a daemon -----------------------------------------------------------------------------


def finds_damage(world: World) -> None:
    """Let the next statement find it."""

    def found() -> None:
        raise JournalDamaged("a page of it")

    assert isinstance(world.journal, FrailJournal)
    world.journal.accidents[world.journal.statements + 1] = found


def test_a_daemon_that_finds_a_damage_ends_at_once_and_leaves_its_jobs_alone() -> None:
    world = World(
        line("long", "0 12 * * *") + line("next", "1 12 * * *"), acts={"long": [Act(lasts=600)]}
    )
    world.at(
        "12:00:30",
        lambda: finds_damage(world),
    )
    with pytest.raises(JournalDamaged):
        world.run()
    assert world.starts("long") == ["12:00:00"]
    assert world.signals() == []
    assert world.spawner.descriptors == set()
    assert world.said("journal")
    assert [attempt.run.job for attempt in world.spawner.living()] == ["long"]


def test_one_that_is_asked_to_stop_stops() -> None:
    world = World(line("job", "0 12 * * *"), acts={"job": [Act(lasts=600)]})
    world.stop_at("12:00:30")
    world.at(
        "12:00:30",
        lambda: finds_damage(world),
    )
    world.run()
    assert world.said("stopped")


def test_a_process_that_the_new_journal_does_not_know_ends_unseen() -> None:
    world = World(line("job", "0 12 * * *"))
    attempt = Attempt(Run(99, "unknown", NOON), 1)
    entry = replace(world.library.load().entries[0], job="unknown")
    launch = world.spawner.prepare(entry, attempt, Path("log"))
    assert isinstance(launch, Launch)
    FakeSpawner.start(world.spawner, launch)
    assert world.runs_until("12:00:30").starts("job") == ["12:00:00"]
