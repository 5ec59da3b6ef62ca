"""A ping's notice in, the HTTP request that tells it out. Pure.

Two conventions, told apart by the URL's host. That of healthchecks.io
(https://healthchecks.io/docs/http_api/), which many others share:

| ping | request |
| --- | --- |
| start | POST URL/start?rid=UUID |
| success | POST URL?rid=UUID |
| fail | POST URL/CODE?rid=UUID with an exit code from 1 to 255, else URL/fail?rid=UUID |

What stands in the URL's query stays there. `rid` is the same for all pings of a run, and no other
run's. The body is what the run wrote last.

And Cronitor's (https://cronitor.io/docs/telemetry-api), for https://cronitor.link/p/KEY/JOB:
GET with `state` run, complete or fail, `series` for the run, `host`, `status_code` and `message`.
"""

from __future__ import annotations

import re
import uuid
from dataclasses import dataclass
from typing import TYPE_CHECKING
from urllib.parse import urlencode, urlsplit

from scheduler.alerts.ping_rules import TARGET, Ping
from scheduler.codec import stamp

if TYPE_CHECKING:
    from urllib.parse import SplitResult

    from scheduler.notice import Notice

MOST_BODY = 10_000  # bytes; the least that a healthchecks.io of any age keeps
MOST_MESSAGE = 2000  # characters of Cronitor's message

_CRONITOR = ("cronitor.link", "cronitor.io")
_CRONITOR_STATES = {Ping.START: "run", Ping.SUCCESS: "complete", Ping.FAIL: "fail"}
_EXIT_CODE = re.compile(r"exit ([0-9]{1,3})(?![0-9])")


@dataclass(frozen=True, slots=True)
class PingRequest:
    """One HTTP request: a POST with a body, a GET where that is None."""

    url: str
    body: bytes | None


def request_of(notice: Notice, output: str, host: str) -> PingRequest:
    """Return the request of a ping; `output` is the end of what its run wrote, without secrets.

    `host` is this machine's name. A notice without a run is one of the daemon itself, whose own
    text is its message.
    """
    url = urlsplit(notice.target.removeprefix(TARGET))
    message = "\n".join(part for part in (_why(notice), output) if part)
    if _is_cronitor(url):
        return _by_cronitor(url, notice, message, host)
    ping = Ping(notice.facts.detail)
    end = "" if ping is Ping.SUCCESS else f"/{_failure(notice) if ping is Ping.FAIL else ping}"
    extra = {} if notice.facts.run is None else {"rid": run_id(notice, host)}
    found = url._replace(path=url.path.rstrip("/") + end, query=_query(url, extra), fragment="")
    return PingRequest(found.geturl(), _end(message.encode(), MOST_BODY))


def run_id(notice: Notice, host: str) -> str:
    """Return what tells a run from all others: a UUID (version 5 of RFC 9562) of its facts."""
    facts = notice.facts
    scheduled = stamp(facts.scheduled) if facts.scheduled else ""
    told = "\n".join((notice.target, host, facts.job, str(facts.run), scheduled))
    return str(uuid.uuid5(uuid.NAMESPACE_URL, told))


def _is_cronitor(url: SplitResult) -> bool:
    host = (url.hostname or "").lower()
    return any(host == name or host.endswith(f".{name}") for name in _CRONITOR)


def _by_cronitor(url: SplitResult, notice: Notice, message: str, host: str) -> PingRequest:
    ping, facts = Ping(notice.facts.detail), notice.facts
    extra = {"host": host}
    if facts.run is not None:
        extra |= {"state": _CRONITOR_STATES[ping], "series": run_id(notice, host)}
    elif ping is Ping.FAIL:
        extra["state"] = _CRONITOR_STATES[ping]  # without a state it is a heartbeat: all is well
    code = _EXIT_CODE.match(facts.outcome)
    if code is not None:
        extra["status_code"] = code[1]
    if message:
        extra["message"] = message[-MOST_MESSAGE:]
    return PingRequest(url._replace(query=_query(url, extra), fragment="").geturl(), None)


def _why(notice: Notice) -> str:
    """Return what a failure's message begins with; other pings have their output alone.

    Their service may look for words in it.
    """
    facts = notice.facts
    if Ping(facts.detail) is not Ping.FAIL:
        return notice.text
    told = ": ".join(part for part in (facts.outcome, facts.reason) if part)
    return "\n".join(part for part in (told, notice.text) if part)


def _failure(notice: Notice) -> str:
    """Return the exit code, or `fail` where there is none: 0 would be a success."""
    code = _EXIT_CODE.match(notice.facts.outcome)
    return code[1] if code is not None and 1 <= int(code[1]) <= 255 else Ping.FAIL.value


def _query(url: SplitResult, extra: dict[str, str]) -> str:
    """Return the URL's own query as it stands, with what is added to it in place of the same."""
    own = [part for part in url.query.split("&") if part and part.partition("=")[0] not in extra]
    return "&".join([*own, urlencode(extra)] if extra else own)


def _end(text: bytes, most: int) -> bytes:
    """Return the last bytes, from the beginning of a letter of UTF-8 on."""
    return text[-most:].decode("utf-8", "ignore").encode() if len(text) > most else text
