"""Jobs by script that fail a test when the daemon starts what it must not start."""

from __future__ import annotations

from typing import TYPE_CHECKING

from fakes import Act, FakeClock, FakeSpawner

from scheduler.entry import Overlap, Reboot, pool_of

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping, Sequence

    from world import World

    from scheduler.entry import Entry
    from scheduler.process.launch import Launch
    from scheduler.run import Attempt, NotStarted


class CarefulSpawner(FakeSpawner):
    """It starts nothing that the journal has not heard of, for good, before; and nothing twice.

    Nor does it start anything beside a run of the same job, unless that is allowed, or more than
    its pool or the daemon lets run at once.
    """

    def __init__(self, clock: FakeClock, acts: Mapping[str, Sequence[Act]], world: World) -> None:
        super().__init__(clock, acts)
        self._world = world
        self._seen: set[Attempt] = set()
        self._turned_away: set[int] = set()
        self.then: Callable[[], None] = lambda: None

    def start(self, launch: Launch) -> int | NotStarted:
        self._is_journalled(launch.attempt)
        assert launch.attempt not in self._seen, f"started twice: {launch.attempt}"
        self._seen.add(launch.attempt)
        entry = self._entries[launch.output]
        assert entry.settings.overlap is Overlap.ALLOW or not self._alive(entry.job)
        self._has_slot(entry)
        self._is_in_its_time(entry, launch.attempt)
        result = super().start(launch)
        self.then()
        return result

    def _is_journalled(self, attempt: Attempt) -> None:
        """Assert that the journal has this claim on disk, and nobody has started it."""
        assert not self._world.journal.connection.in_transaction
        row = self._world.journal.queries.run(attempt.run.number)
        assert row is not None
        claims = [each for each in row.attempts if each.number == attempt.number]
        assert [(each.started, each.ended) for each in claims] == [(None, None)]
        assert row.state == "running"

    def _is_in_its_time(self, entry: Entry, attempt: Attempt) -> None:
        """Assert that the clock has come to the instant, whatever was set, missed or retried."""
        row = self._world.journal.queries.run(attempt.run.number)
        assert row is not None
        if not (row.by_hand or isinstance(entry.schedule, Reboot)):
            assert self.clock.now() >= attempt.run.instant, f"too early: {attempt}"

    def _has_slot(self, entry: Entry) -> None:
        groups = self._groups.items()
        alive = {pid for pid, group in groups if group.leader in ("child", "orphan")}
        running = [each.entry for each in self.launched if each.pid in alive - self._turned_away]
        most = self._world.most
        assert most is None or len(running) < most
        pool = entry.settings.pool
        if pool is not None:
            limits = [each.settings.pool for each in self._world.library.load().entries]
            known = [
                each.limit for each in limits if each and each.name == pool.name and each.limit
            ]
            beside = [each for each in running if pool_of(each) == pool.name]
            assert len(beside) < min(known, default=1)

    def _alive(self, job: str) -> list[Attempt]:
        """The attempts of a job that run, whatever the journal has heard of them."""
        groups = self._groups.items()
        alive = {pid for pid, group in groups if group.leader in ("child", "orphan")}
        ours = [each for each in self.launched if each.pid in alive - self._turned_away]
        return [each.attempt for each in ours if each.entry.job == job]

    def leave(self) -> None:
        """Let every grandchild end."""
        for group in self._groups.values():
            group.grandchild = False

    def renumber(self) -> None:
        """Let the numbers of all processes belong to other ones."""
        for pid, group in self._groups.items():
            group.started += 1
            self._turned_away.add(pid)
