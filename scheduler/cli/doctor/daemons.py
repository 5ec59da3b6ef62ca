"""Whether a daemon runs and answers, and whether another one reads the same crontabs."""

from __future__ import annotations

import os
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from itertools import dropwhile
from pathlib import Path

from scheduler import __version__
from scheduler.cli.doctor.diagnosis import Diagnosis, fine, problem, warning
from scheduler.cli.doctor.facts import MachineFacts
from scheduler.process.procfs import PROC

_INTERPRETER_WORDS = 8  # of `python3 -I -X utf8 -m scheduler`
_SWITCHES = ("-I", "-E", "-P", "-s", "-B", "-u")  # as in the first line of a program in Python


@dataclass(frozen=True, slots=True)
class OtherDaemon:
    """A process that was started as a daemon, its user, and the crontabs that it was given."""

    pid: int
    uid: int
    files: frozenset[str]


def answers(facts: MachineFacts) -> Iterator[Diagnosis]:
    """Yield how the daemon of this state folder does."""
    if facts.snapshot is None:
        message, _, remedy = facts.absence.partition("; ")
        if facts.is_silent:
            message, remedy = facts.absence, "see its log; one that is stopped goes on at SIGCONT"
        yield problem(message, remedy or "meridian run starts one")
        return
    told, daemon = facts.snapshot, facts.snapshot.daemon
    who = f"pid {daemon.pid}, version {daemon.version}, at {_socket(facts)}"
    if told.journal is not None:
        why = f"its journal refuses: {told.journal}"
        yield problem(f"{who}: {why}", "make room on its disk; see its log")
    elif told.is_stopping:
        yield warning(f"{who}: it is stopping", "wait for its jobs, or start it again")
    elif daemon.version != __version__:
        what = f"{who}, but this command is of version {__version__}"
        yield warning(what, "start the daemon again")
    else:
        yield fine(f"{who}, answers")


def _socket(facts: MachineFacts) -> str:
    contact = facts.paths.contact
    try:
        return str(contact.readlink())
    except OSError:
        return str(contact)


def others(facts: MachineFacts, proc: Path = PROC) -> Iterator[Diagnosis]:
    """Yield which other Meridian daemons there are, and which of them run the same jobs."""
    if not (proc / "self").exists():
        return
    seen = [each for each in running(proc) if each.pid not in (facts.pid, os.getpid())]
    yield from judged_others(seen, facts.files, os.geteuid(), has_own=facts.pid is not None)


def judged_others(
    seen: Sequence[OtherDaemon], files: frozenset[str], uid: int, *, has_own: bool
) -> Iterator[Diagnosis]:
    """Yield what to say of the daemons that were seen; `has_own` if one was asked already."""
    if not seen:
        yield fine("none that can be seen")
    for each in seen:
        who = f"another Meridian daemon (pid {each.pid})"
        shared = sorted(each.files & files)
        if shared and has_own:
            what = f"{who} reads {shared[0]} too: each of its jobs runs twice"
            yield problem(what, f"end one of them: kill {each.pid}")
        elif each.uid == uid and not each.files and has_own:
            what = f"{who} of the same user has another state folder"
            remedy = f"if it reads the same crontabs, end one of them: kill {each.pid}"
            yield warning(what, remedy)
        else:
            yield fine(f"{who} runs, of user {each.uid}")


def running(proc: Path) -> Iterator[OtherDaemon]:
    """Yield the daemons among the processes that can be seen."""
    for folder in proc.glob("[0-9]*"):
        try:
            words = os.fsdecode((folder / "cmdline").read_bytes()).split("\0")
            given = given_to_run(words)
            if given is not None:
                at = folder.joinpath("cwd").readlink() if given else Path("/")
                files = frozenset(os.path.realpath(at / file) for file in given)
                yield OtherDaemon(int(folder.name), folder.stat().st_uid, files)
        except OSError:
            continue  # it has ended, or is another user's


def given_to_run(words: Sequence[str]) -> list[str] | None:
    """Return the words behind `meridian run` that are no options; None for another program.

    Values of options are among them: they name no crontab that is there.
    """
    words = [*words[:1], *dropwhile(_SWITCHES.__contains__, words[1:])]
    names = [Path(word).name for word in words[:_INTERPRETER_WORDS]]
    by_name = names[:1] == ["meridian"] or (
        names[:1] != [] and names[0].startswith("python") and names[1:2] == ["meridian"]
    )
    begin = names.index("meridian") + 1 if by_name else 0
    if "-m" in names and not by_name:
        at = names.index("-m")
        begin = at + 2 if names[at + 1 : at + 2] == ["scheduler"] else 0
    if not begin or words[begin : begin + 1] != ["run"]:
        return None
    return [each for each in words[begin + 1 :] if each and not each.startswith("-")]
