"""Words that were taken for the names of crontabs in, what they may be in truth out."""

from __future__ import annotations

from collections.abc import Callable, Collection, Sequence
from dataclasses import replace

from scheduler.entry import Problem
from scheduler.errors import BadValue
from scheduler.schedule import expression
from scheduler.system.crontab_loader import Loaded


def explained(loaded: Loaded, files: Sequence[str], jobs: Callable[[], Collection[str]]) -> Loaded:
    """Return what was loaded; of a file that is not there it says what its name is elsewhere."""
    missing = {problem.file for problem in loaded.problems if problem.code == "missing"}
    words = [file for file in files if file in missing and "/" not in file]
    if not words:
        return loaded
    known = jobs()
    whole = _schedule(" ".join(files))
    told = {word: whole or _schedule(word) or _job(word, known) for word in words}
    problems = tuple(_explained(problem, told) for problem in loaded.problems)
    return replace(loaded, problems=problems)


def _explained(problem: Problem, told: dict[str, str]) -> Problem:
    if problem.code != "missing" or problem.file not in told:
        return problem
    message = f"{problem.message}: this was taken for the name of a crontab"
    what = told[problem.file]
    return replace(problem, message=f"{message}, but is {what}" if what else message)


def _schedule(text: str) -> str:
    """Return that a text is a schedule, and what to do with it; "" if it is none."""
    try:
        expression.parse(text, job="explain")
    except BadValue:
        return ""
    return f'a schedule: meridian explain "{text}"'


def _job(word: str, known: Collection[str]) -> str:
    if word not in known:
        return ""
    return f"a job: meridian why {word}, meridian history {word}"
