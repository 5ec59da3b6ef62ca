"""A request of a person in, what the daemon made of it, in words or JSON, out.

For the commands that ask a running daemon to do something: nothing is done without one.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import TypeVar

import typer

from scheduler import wire
from scheduler.cli import output, which_daemon
from scheduler.cli.client import as_refusal, ask
from scheduler.cli.which_daemon import Where
from scheduler.cli.which_run import NotOneRun
from scheduler.codec import decode
from scheduler.errors import NoAnswer, NoDaemon
from scheduler.protocol import PauseReply, Request, ResumeReply, RunReply
from scheduler.status import Crontabs
from scheduler.system.control_client import REPLY_TIMEOUT
from scheduler.wire import Refused

Answered = TypeVar("Answered", RunReply, PauseReply, ResumeReply, Crontabs)


def carry_out(
    request: Request | Callable[[], Request],
    kind: type[Answered],
    where: Where,
    told: Callable[[Answered], str],
    *,
    json: bool,
    timeout: float = REPLY_TIMEOUT,
) -> Answered:
    """Ask the daemon, say what came of it and return that; exit status 1 if it did not do it.

    A program gets the reply as it came, though it may make no sense here.
    """
    try:
        reply = ask(request() if callable(request) else request, where, timeout)
    except (NoDaemon, NoAnswer, NotOneRun) as error:
        if not json:
            raise
        reply = _refusal(error)
    if json:
        output.row(wire.as_json(reply))
    if isinstance(reply, Refused):
        if not json:
            output.complain(reply.message)
        raise typer.Exit(1)
    done = decode(kind, reply)
    if not json:
        output.say(told(done))
    return done


def _refusal(error: NoDaemon | NoAnswer | NotOneRun) -> Refused:
    if isinstance(error, NotOneRun):
        return Refused(error.code, str(error))
    return as_refusal(error)


def attempt_told(what: str, moved: RunReply, where: Where) -> str:
    """Return that an attempt has begun, or what it waits for; and what shows its output."""
    return f"{what} {_begun(moved)}; see meridian logs {moved.run}{which_daemon.option(where)}"


def _begun(moved: RunReply) -> str:
    if moved.state == "running":
        return "is being started"
    return "waits for its start" + (f" ({moved.reason})" if moved.reason else "")
