"""The channel of CRON_PING, and of the daemon's own pings: deliveries in, HTTP requests out.

URLs are asked side by side, since one that hangs must not keep the others waiting. The pings of one
URL go one after the other, in their order: behind one that is to be tried again the rest waits too.
A start that has no place there (404, 405) is over, and no failure: Uptime Kuma and others know
successes alone, and the success behind it, at the bare URL, tells whether that is wrong.
What a request looks like is `ping_request`'s.
"""

from __future__ import annotations

import socket
from collections import defaultdict
from queue import Empty, SimpleQueue
from threading import Thread
from typing import TYPE_CHECKING

from scheduler.alerts import output_excerpt, web
from scheduler.alerts.channel import NotSent
from scheduler.alerts.ping_request import MOST_BODY, request_of
from scheduler.alerts.ping_rules import Ping
from scheduler.notice import Result

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence

    from scheduler.alerts.channel import Place
    from scheduler.notice import Delivery, Notice

REQUEST_SECONDS = 10.0  # for one request with all its redirects
AT_ONCE = 8  # URLs

# healthchecks.io of 2022 said with 200 OK that it had no such check, or too many pings.
_NOT_TAKEN, _RATE_LIMITED = "OK (", "OK (rate limited)"


def send(deliveries: Sequence[Delivery], place: Place) -> Iterator[Result]:
    """Ping, and yield a result for each delivery as soon as it is known; see `channel.Send`."""
    by_url: dict[str, list[Delivery]] = defaultdict(list)
    for delivery in deliveries:
        by_url[delivery.target].append(delivery)
    waiting: SimpleQueue[list[Delivery]] = SimpleQueue()
    for chain in by_url.values():
        waiting.put(chain)
    results: SimpleQueue[Result | BaseException] = SimpleQueue()
    for _ in range(min(AT_ONCE, len(by_url))):
        Thread(target=_work, args=(waiting, results, place), daemon=True).start()
    for _ in deliveries:
        result = results.get()
        if isinstance(result, BaseException):
            raise result
        yield result


def _work(
    waiting: SimpleQueue[list[Delivery]],
    results: SimpleQueue[Result | BaseException],
    place: Place,
) -> None:
    try:
        while True:
            for result in _in_order(waiting.get_nowait(), place):
                results.put(result)
    except Empty:
        pass
    except BaseException as error:  # noqa: BLE001 (it is raised where the results are taken)
        results.put(error)


def _in_order(chain: Sequence[Delivery], place: Place) -> Iterator[Result]:
    """Yield what became of the deliveries for one URL; all behind one that failed now fail too."""
    failure = ""
    for at, delivery in enumerate(chain):
        if failure:
            yield Result(delivery.number, failure)
            continue
        result = _of_delivery(delivery, place)
        if result.error and not result.permanent and _is_over(delivery, chain[at + 1 :]):
            result = Result(delivery.number, f"{result.error}; its run has ended", permanent=True)
        failure = "" if result.permanent else result.error
        yield result


def _of_delivery(delivery: Delivery, place: Place) -> Result:
    refused, note = "", ""
    taken: list[int] = []
    for number, notice in enumerate(delivery.notices):
        try:
            _ping(notice, place)
        except NotSent as error:
            if not error.permanent:
                return error.result(delivery.number, sent=tuple(taken))
            if not (_is_start(notice) and isinstance(error, web.NoSuchPlace)):
                refused = str(error)
                continue
            note = f"{error}: it takes no starts"
        taken.append(number)
    if refused:
        return Result(delivery.number, refused, permanent=True, sent=tuple(taken))
    return Result(delivery.number, note=note)


def _is_over(delivery: Delivery, behind: Sequence[Delivery]) -> bool:
    """Say whether it is the start alone of a run whose end waits behind it."""
    ended = {notice.facts.run for each in behind for notice in each.notices}
    return all(_is_start(notice) and notice.facts.run in ended for notice in delivery.notices)


def _is_start(notice: Notice) -> bool:
    return notice.facts.detail == Ping.START


def _ping(notice: Notice, place: Place) -> None:
    facts = notice.facts
    output = ""
    if facts.attempts and not _is_start(notice):
        last = facts.attempts[-1]
        output = output_excerpt.tail(place.state / last.output, MOST_BODY, last.secrets)
    asked = request_of(notice, output, socket.gethostname())
    answer = web.send(asked.url, asked.body, REQUEST_SECONDS)
    if answer.startswith(_NOT_TAKEN):
        why = f"the service answered {answer.strip()}"
        raise NotSent(why, permanent=not answer.startswith(_RATE_LIMITED))
