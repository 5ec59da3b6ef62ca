"""Where a test starts jobs as other users: a real spawner of root's, with two users of its own."""

from __future__ import annotations

import contextlib
import os
from dataclasses import dataclass, field, replace
from typing import TYPE_CHECKING

from spawner_stages import RealStage, eventually, real_stage
from users import OTHER, OWNER, new_folder

from scheduler.process.procfs import Processes
from scheduler.process.spawner import RealSpawner
from scheduler.process.user_jobs import UserJobs
from scheduler.system.accounts import Account

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

    from fakes import Act

    from scheduler.entry import Entry
    from scheduler.process.launch import Launch
    from scheduler.process.limiter import MemoryGroups
    from scheduler.run import NotStarted

SHARED = 60126  # a group that ann is in beside her own


@dataclass
class UserStage(RealStage):
    """The jobs of a test are ann's, where an entry names nobody else; bob is there too.

    Who is not root can become nobody: ann is the user of the test itself then, without a bob.
    """

    told: list[str] = field(default_factory=list)
    accounts: dict[str, Account] = field(default_factory=dict)
    groups: MemoryGroups | None = None

    @property
    def root(self) -> Path:
        """Where the files of the system are looked for."""
        return self.folder / "root"

    def limits(self, text: str) -> None:
        """Have these lines in limits.conf, for who is looked up from now on."""
        folder = self.root / "etc/security"
        folder.mkdir(parents=True, exist_ok=True)
        (folder / "limits.conf").write_text(text)

    def __post_init__(self) -> None:
        home = str(self.folder)
        me, mine = os.getuid(), os.getgid()
        own = {"ann": Account("ann", me, mine, tuple(os.getgroups()), home)}
        self.accounts = (
            own
            if me
            else {
                "ann": Account("ann", OWNER, OWNER, (OWNER, SHARED), home),
                "bob": Account("bob", OTHER, OTHER, (OTHER,), home),
            }
        )
        super().__post_init__()

    def new(self, environ: dict[str, str] | None = None) -> RealSpawner:
        self.users = UserJobs(self.told.append, self.accounts.get, self.root)
        environ = self.environ if environ is None else environ
        return RealSpawner(environ, str(self.folder), "root", users=self.users, groups=self.groups)

    def prepare(self, entry: Entry, _act: Act | None = None) -> Launch | NotStarted:
        self.users._known._look_ups.clear()
        return super().prepare(replace(entry, user=entry.user or "ann"))

    def wait(self, pid: int) -> None:
        """It is another's child, unless that has died: only the system tells of its end."""
        processes = Processes()

        def is_over() -> bool:
            found = processes.find(pid)
            return found is None or found.is_dead

        eventually(is_over)

    def next(self) -> RealSpawner:
        self.end_process()
        return self.new()

    def uids(self) -> dict[int, int]:
        """Of which children the spawner knows as whom they run."""
        assert isinstance(self.spawner, RealSpawner)
        return self.spawner._escaped._uids

    @property
    def process(self) -> int:
        """The pid of what starts the jobs."""
        process = self.users._process._process
        assert process is not None
        return process.pid

    def end_process(self) -> None:
        """Let what starts the jobs see that its daemon is gone."""
        process, channel = self.users._process._process, self.users._process._channel
        if process is not None and channel is not None:
            channel.close()
            process.wait(10)
            self.users._process._channel = self.users._process._process = None


@contextlib.contextmanager
def user_stage() -> Iterator[UserStage]:
    """A stage for one test, after which nobody that it started is left."""
    with new_folder(OWNER if os.getuid() == 0 else os.getuid()) as folder:
        os.chmod(folder, 0o777)  # noqa: PTH101 (its jobs write into it)
        stage = UserStage(folder)
        whole = real_stage(folder, stage)
        next(whole)
        try:
            yield stage
        finally:
            for _ in whole:
                pass
            stage.end_process()


def folder_of_root(stage: UserStage) -> Path:
    """A folder that root alone may enter."""
    folder = stage.folder / "of-root"
    folder.mkdir(mode=0o700)
    return folder
