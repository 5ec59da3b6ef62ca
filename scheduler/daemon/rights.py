"""What a peer may ask for: a peer, a request and what it is about in, why it is refused out. Pure.

Root, and the daemon's own user, may ask for everything. Every other user may ask about jobs that
run as them and about their own runs, and hears of nobody else's, not even whether there are any:
what is another's is refused as what is not there. Rights go by the user of an entry and of a run
alone, never by a name that a crontab can choose.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from scheduler.past import History, Output
from scheduler.protocol import Inherited, Kill, Pause, Reload, Resume, Retry, Trigger
from scheduler.status import Status
from scheduler.suggestions import did_you_mean, nearest
from scheduler.text import shortened
from scheduler.wire import Refused

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping

    from scheduler.entry import Entry
    from scheduler.peer import Peer
    from scheduler.protocol import Request
    from scheduler.run import Run

JOURNAL_REFUSES = "the daemon's journal refuses; root is told why"
# A verb that is not named here is root's, so that a new one gives nobody a right by mistake.
_FOR_EVERYBODY = Status | Trigger | Retry | Kill | Pause | Resume | History | Output
_ROOT_ONLY: dict[type[Request], str] = {
    Reload: "reload is root's; a table that was saved is read before the next minute by itself",
    Inherited: "what the daemon's jobs inherit is told to root alone; yours begin with none of it",
}


def run_of(request: Request) -> int | None:
    """Return the number of the run that a request is about, if it names one."""
    return request.run if isinstance(request, Retry | Kill | Output | History) else None


def refusal(
    peer: Peer, request: Request, entries: Mapping[str, Entry], run: Run | None
) -> Refused | None:
    """Return why this peer may not ask for that; None where it may.

    `entries` are those in force, `run` the one of the number that the request names, if there is
    such a run.
    """
    if peer.is_admin:
        return None
    if peer.user is None:
        why = "has no name that is theirs alone, or it was not told in time; jobs go by it"
        return Refused("no-name", f"user {peer.uid} {why}")
    if not isinstance(request, _FOR_EVERYBODY):
        why = _ROOT_ONLY.get(type(request), "this is answered to root alone")
        return Refused("root-only", why)
    return _of_jobs(peer, jobs_of(request), entries) or _of_run(peer, request, entries, run)


def jobs_of(request: Request) -> tuple[str, ...]:
    """Return the jobs that something is to be done to."""
    match request:
        case Trigger(job):
            return (job,)
        case Pause(jobs=jobs) | Resume(jobs=jobs):
            return jobs
        case _:
            return ()


def _of_jobs(peer: Peer, jobs: Iterable[str], entries: Mapping[str, Entry]) -> Refused | None:
    others = [job for job in jobs if not (job in entries and peer.owns(entries[job].user))]
    if not others:
        return None
    own = [job for job, entry in entries.items() if peer.owns(entry.user)]
    near = did_you_mean(nearest(others[0], own, most=3, alike=0.5))
    hint = near or "meridian crontab -l shows your table"
    named = ", ".join(map(shortened, others))
    return Refused("no-such-job", f"There is no job {named} of {peer.user}; {hint}")


def _of_run(
    peer: Peer, request: Request, entries: Mapping[str, Entry], run: Run | None
) -> Refused | None:
    number = run_of(request)
    if number is None:
        return None
    if run is None or not peer.owns(run.user):
        why = f"There is no run {number} of {peer.user}; meridian history lists them"
        return Refused("no-such-run", why)
    is_anothers = run.job in entries and not peer.owns(entries[run.job].user)
    if isinstance(request, Retry) and is_anothers:  # the name is another user's by now
        return Refused("no-such-job", f"{run.job} is no longer in a crontab")
    return None
