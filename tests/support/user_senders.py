"""Bob, whose alerts a courier of root has sent, with nothing of root's that he may see."""

from __future__ import annotations

import os
from contextlib import contextmanager
from dataclasses import dataclass, field
from dataclasses import replace as changed
from threading import Event as Gate
from typing import TYPE_CHECKING

from notices import notice
from users import OWNER, new_folder

from scheduler.alerts.courier import Lane, SenderCourier
from scheduler.alerts.sender_start import USER_SENDER, Senders
from scheduler.notice import Delivery, channel_of
from scheduler.system.accounts import Account

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence
    from pathlib import Path

    from scheduler.alerts.courier import Answer
    from scheduler.notice import Notice

EXTRA_GROUP = 60199
PATIENT = 60.0
ROOTS_SECRET = "s3cr3t-of-root"


@dataclass
class BobsAlerts:
    """A courier of root, root's folders that only root gets into, and bob's home."""

    folder: Path
    program: Sequence[str] = USER_SENDER
    patience: float = PATIENT
    seconds: float = 300.0
    complaints: list[str] = field(default_factory=list)
    woken: Gate = field(default_factory=Gate)

    def __post_init__(self) -> None:
        self.home, self.state, self.config = (self.folder / n for n in ("home", "state", "config"))
        for folder, uid in ((self.home, OWNER), (self.state, 0), (self.config, 0)):
            folder.mkdir(mode=0o700)
            os.chown(folder, uid, uid)
        self.account = Account("bob", OWNER, OWNER, (OWNER, EXTRA_GROUP), str(self.home))
        environ = {**os.environ, "API_TOKEN": ROOTS_SECRET, "LANG": "C.UTF-8"}
        self.courier = SenderCourier(
            Senders(
                self.state,
                self.config,
                environ,
                user_program=self.program,
                find=lambda name: self.account if name == "bob" else None,
            ),
            lambda whose, text: self.complaints.append(f"{whose}: {text}"),
            patience=self.patience,
            user_seconds=self.seconds,
        )
        self.courier.wake_by(self.woken.set)

    def writes(self, path: str, text: str, uid: int = OWNER) -> Path:
        """A private file below bob's home."""
        file = self.home / path
        for folder in reversed(file.relative_to(self.home).parents):
            (self.home / folder).mkdir(mode=0o700, exist_ok=True)
            os.chown(self.home / folder, OWNER, OWNER)
        file.write_text(text)
        file.chmod(0o600)
        os.chown(file, uid, uid)
        return file

    def sends(self, *notices: Notice, user: str = "bob") -> list[Answer]:
        """What becomes of them, a delivery each."""
        told = [changed(each, user=user) for each in notices]
        deliveries = [Delivery(n, each.target, (each,)) for n, each in enumerate(told, 1)]
        lane = Lane(channel_of(notices[0].target), False, user)
        self.courier.send(lane, deliveries)
        found: list[Answer] = []
        while not self.courier.is_free(lane):
            assert self.woken.wait(2 * PATIENT)
            self.woken.clear()
            found += self.courier.answers()
        return found

    def runs(self, command: str) -> str:
        """What a command of his writes that is told of a failure."""
        out = self.home / "out"
        out.unlink(missing_ok=True)
        self.sends(notice(f"|{{ {command}\n}} > {out} 2>&1; true"))
        return out.read_text()


@contextmanager
def bobs_alerts(**how: object) -> Iterator[BobsAlerts]:
    with new_folder(0) as folder:
        yield BobsAlerts(folder, **how)  # type: ignore[arg-type]
