"""The channel of `|COMMAND`: a delivery in, a command that tells it somehow run, and how it ended.

/bin/sh runs it in the user's home, whatever SHELL the crontab has: an alert must not depend on
what it may have to tell of. `command_facts` says what it gets.

| exit status | what it means |
| --- | --- |
| 0 | it was told |
| 64, 77, 78 (sysexits.h: usage, permission, configuration), 126, 127 (the shell's) | given up |
| any other, 75 (EX_TEMPFAIL) too | tried again |
| a signal (to a shell 129 and more); no end within COMMAND_SECONDS | tried again, with a mark |
"""

from __future__ import annotations

import os
import pwd
import signal
import subprocess
import tempfile
from contextlib import suppress
from threading import Thread
from typing import IO, TYPE_CHECKING

from scheduler import redact
from scheduler.alerts import message_origin, wording
from scheduler.alerts.channel import NotSent
from scheduler.alerts.command_facts import CommandFacts
from scheduler.notice import Result
from scheduler.printable import clean
from scheduler.system import own_groups

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping, Sequence

    from scheduler.alerts.channel import Place
    from scheduler.notice import Delivery

COMMAND_SECONDS = 30.0  # half of what a sender has for a result
_TERM_SECONDS = 1.0  # from SIGTERM to SIGKILL
_DRAIN_SECONDS = 0.5  # for the last output of one that has ended
_COMMAND_REFUSES = frozenset({64, 77, 78, 126, 127})
_KEPT_OUTPUT = 16_384  # bytes of its output, the last
_MOST_COMPLAINT = 300  # characters of them that are shown


def send(deliveries: Sequence[Delivery], place: Place) -> Iterator[Result]:
    """Run the command once for each delivery, one after the other; see `channel.Send`."""
    for delivery in deliveries:
        try:
            _tell(delivery, place)
        except NotSent as error:
            yield error.result(delivery.number)
        else:
            yield Result(delivery.number)


def _tell(delivery: Delivery, place: Place) -> None:
    where = message_origin.of_place(place)
    told = CommandFacts(delivery, wording.message(delivery, where), where, place.state)
    home = _home()
    environment = {**place.environ, "HOME": home, **told.variables()}
    code, output = _run(delivery.target.removeprefix("|"), environment, home, told.as_json())
    if code:
        how = f"ended with exit {code}" if code > 0 else f"was ended by signal {-code}"
        why = _complaint(how, output)
        raise NotSent(why, permanent=code in _COMMAND_REFUSES, is_unsure=_is_signal(code))


def _run(
    command: str, environment: Mapping[str, str], home: str, given: bytes
) -> tuple[int, bytes]:
    """Return how a command ended, a signal as a negative number, and the end of its output.

    What it leaves in the background goes on. Raises NotSent if it can't be started, or if it takes
    too long and was ended with its process group.
    """
    with tempfile.TemporaryFile() as stdin:  # a pipe would have to be filled, read or not
        stdin.write(given)
        stdin.seek(0)
        try:
            with own_groups.leader(lambda: _started(command, environment, home, stdin)) as process:
                return _waited_for(process)
        except OSError as error:
            raise NotSent(f"/bin/sh could not be started ({error.strerror})") from error


def _waited_for(process: subprocess.Popen[bytes]) -> tuple[int, bytes]:
    output = bytearray()
    # A thread, since what is left in the background may write for ever.
    drain = Thread(target=_drain, args=(process.stdout, output), daemon=True)
    drain.start()
    try:
        code = process.wait(COMMAND_SECONDS)
    except subprocess.TimeoutExpired:
        _end(process)
        drain.join(_DRAIN_SECONDS)
        late = _complaint(f"did not end within {COMMAND_SECONDS:g} s", bytes(output))
        raise NotSent(late, is_unsure=True) from None
    drain.join(_DRAIN_SECONDS)
    return code, bytes(output)


def _started(
    command: str, environment: Mapping[str, str], home: str, stdin: IO[bytes]
) -> subprocess.Popen[bytes]:
    return subprocess.Popen(
        ("/bin/sh", "-c", command),
        env={_bytes(name): _bytes(value) for name, value in environment.items()},
        cwd=home,
        stdin=stdin,
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        start_new_session=True,
    )


def _end(process: subprocess.Popen[bytes]) -> None:
    """End a command and all of its process group, which its shell leads and still has."""
    with suppress(ProcessLookupError, PermissionError):
        os.killpg(process.pid, signal.SIGTERM)
        with suppress(subprocess.TimeoutExpired):
            process.wait(_TERM_SECONDS)
        os.killpg(process.pid, signal.SIGKILL)
    process.wait()


def _drain(pipe: IO[bytes], output: bytearray) -> None:
    with pipe:
        while piece := os.read(pipe.fileno(), _KEPT_OUTPUT):
            output += piece
            del output[:-_KEPT_OUTPUT]


def _is_signal(code: int) -> bool:
    """Say whether a signal ended it, or what its shell waited for: it may have told by then."""
    return code < 0 or 128 < code < 128 + signal.NSIG


def _complaint(how: str, output: bytes) -> str:
    """Return how it ended and what it said last, in one line without secrets."""
    text = redact.text(None, output.decode("utf-8", "replace"))
    said = clean(" ".join(text.split()))[-_MOST_COMPLAINT:]
    return f"the command {how}: {said}" if said else f"the command {how}"


def _home() -> str:
    """Return the user's home as the system knows it, / where there is none."""
    with suppress(KeyError):
        home = pwd.getpwuid(os.geteuid()).pw_dir
        if os.access(home, os.X_OK):
            return home
    return "/"


def _bytes(text: str) -> bytes:
    """Return a variable's bytes, whatever the locale; none has a NUL in it."""
    return text.replace("\0", "").encode("utf-8", "surrogateescape")
