"""Whether anything keeps the machine's clock right."""

from __future__ import annotations

from collections.abc import Iterator

from scheduler.cli.doctor.diagnosis import Diagnosis, fine, warning
from scheduler.system import clock_sync


def synchronised() -> Iterator[Diagnosis]:
    """Yield whether the kernel says that somebody keeps its clock right."""
    yield judged(clock_sync.read())


def judged(found: clock_sync.ClockSync | None) -> Diagnosis:
    """Return what to say of it; None is a system that does not tell."""
    if found is None:
        remedy = "see that it has the right time: date -u; on a Mac: sntp -d time.apple.com"
        return warning("this system does not tell whether it is synchronised", remedy)
    if found.is_synchronised:
        return fine(f"synchronised, to {found.most_wrong_s:.2g} s at the worst")
    remedy = "install chrony or systemd-timesyncd; in a container, or a guest, that is its host's"
    return warning("nothing synchronises it, by the kernel's word", remedy)
