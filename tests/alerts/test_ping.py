"""Pings are sent: to a real server, in order, and never kept waiting by another URL."""

from __future__ import annotations

import time
from typing import TYPE_CHECKING

import pytest
from notices import delivery, ping, wrote
from web_server import WebServer, drop, hang, status, web_server

from scheduler.alerts import ping as channel
from scheduler.notice import Result

if TYPE_CHECKING:
    from scheduler.alerts.channel import Place
    from scheduler.notice import Delivery


def results(place: Place, *deliveries: Delivery) -> dict[int, Result]:
    return {result.delivery: result for result in channel.send(deliveries, place)}


def test_a_run_pings_its_start_and_its_end_with_its_output(server: WebServer, place: Place) -> None:
    wrote(place.state, b"copying\n\x1b[31mdisk full\x1b[0m\ntoken=s3cr3tvalue\n")
    url = f"{server.url}/KEY"
    start, fail = delivery(ping(url, "start")), delivery(ping(url, "fail"), number=2)
    assert results(place, start, fail) == {1: Result(1), 2: Result(2)}
    assert server.paths() == ["/KEY/start", "/KEY/3"]
    first, second = server.asked
    assert first.body == b""
    assert second.body == b"exit 3: no attempts left\ncopying\ndisk full\ntoken=***********"
    assert first.query["rid"] == second.query["rid"]


def test_a_long_output_is_told_by_its_end(server: WebServer, place: Place) -> None:
    wrote(place.state, b"begin\n" + b"x" * 300_000 + b"\nend\n")
    results(place, delivery(ping(f"{server.url}/KEY", "success")))
    assert len(server.asked[0].body) == 10_000
    assert server.asked[0].body.endswith(b"xxx\nend")


def test_an_output_that_is_gone_is_told_as_gone(server: WebServer, place: Place) -> None:
    results(place, delivery(ping(f"{server.url}/KEY", "success")))
    assert server.asked[0].body == b"(its output is not kept any more)"


def test_a_secret_at_the_cut_is_no_secret_less(server: WebServer, place: Place) -> None:
    """Half of a token would not look like one, so what is read begins far before what is told."""
    wrote(place.state, b"Authorization: Bearer abcdefghijklmnop" + b"x" * 9990)
    results(place, delivery(ping(f"{server.url}/KEY", "success")))
    assert b"mnop" not in server.asked[0].body


@pytest.mark.parametrize(
    ("answer", "error", "permanent"),
    [
        (status(404), "127.0.0.1 answered 404 Not Found", True),
        (status(503), "127.0.0.1 answered 503 Service Unavailable", False),
        (drop, "127.0.0.1: the connection ended in the middle (BadStatusLine)", False),
        (status(200, b"OK (not found)"), "the service answered OK (not found)", True),
        (status(200, b"OK (rate limited)"), "the service answered OK (rate limited)", False),
    ],
)
def test_what_is_not_taken_is_a_result(
    server: WebServer, place: Place, answer: object, error: str, permanent: bool
) -> None:
    server.answers.append(answer)  # type: ignore[arg-type]
    found = results(place, delivery(ping(f"{server.url}/KEY", "success")))
    is_unsure = "ended in the middle" in error  # it had the request
    assert found == {1: Result(1, error, permanent=permanent, is_unsure=is_unsure)}


def test_a_url_that_hangs_keeps_no_other_waiting(
    server: WebServer, place: Place, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(channel, "REQUEST_SECONDS", 1.0)
    with web_server() as dead:
        dead.always = hang
        slow = [delivery(ping(f"{dead.url}/{n}", "success"), number=n) for n in range(4)]
        fast = [delivery(ping(f"{server.url}/{n}", "success"), number=n) for n in range(4, 104)]
        begin, found = time.monotonic(), []
        for result in channel.send([*slow, *fast], place):
            found.append(result)
            if len(found) == 100:
                assert time.monotonic() - begin < 1.0
    assert {result.delivery for result in found if not result.error} == set(range(4, 104))
    assert {result.error for result in found} == {"", "127.0.0.1 did not answer in 1 s"}


def test_behind_one_that_is_tried_again_those_of_its_url_wait(
    server: WebServer, place: Place
) -> None:
    url = f"{server.url}/KEY"
    server.answers.append(status(500))
    ends = [delivery(ping(url, "success", run=run), number=run) for run in (7, 8)]
    with web_server() as other:
        found = results(place, *ends, delivery(ping(other.url, "success"), number=9))
    assert [found[number].error for number in (7, 8, 9)] == [
        "127.0.0.1 answered 500 Internal Server Error"
    ] * 2 + [""]
    assert server.paths() == ["/KEY"]
    assert not found[8].permanent


def test_what_is_refused_for_good_keeps_nothing_waiting(server: WebServer, place: Place) -> None:
    url = f"{server.url}/KEY"
    server.answers.append(status(403))
    found = results(place, delivery(ping(url, "start")), delivery(ping(url, "success"), number=2))
    assert found[1].permanent
    assert found[2] == Result(2)


@pytest.mark.parametrize("code", [404, 405])
def test_a_service_without_starts_is_told_of_the_end_alone(
    server: WebServer, place: Place, code: int
) -> None:
    url = f"{server.url}/api/push/KEY"
    server.answers.append(status(code))
    found = results(place, delivery(ping(url, "start")), delivery(ping(url, "success"), number=2))
    assert (found[1].error, found[1].permanent) == ("", False)
    assert found[1].note.startswith(f"127.0.0.1 answered {code} ")
    assert found[1].note.endswith(": it takes no starts")
    assert found[2] == Result(2)
    assert server.paths() == ["/api/push/KEY/start", "/api/push/KEY"]


@pytest.mark.parametrize("detail", ["success", "fail"])
def test_a_wrong_url_is_told_by_every_other_ping(
    server: WebServer, place: Place, detail: str
) -> None:
    server.answers.append(status(404))
    (result,) = results(place, delivery(ping(f"{server.url}/KEY", detail))).values()
    assert (result.error, result.permanent) == ("127.0.0.1 answered 404 Not Found", True)


def test_a_start_is_not_tried_again_when_its_run_has_ended(server: WebServer, place: Place) -> None:
    url = f"{server.url}/KEY"
    server.answers.append(status(500))
    found = results(place, delivery(ping(url, "start")), delivery(ping(url, "success"), number=2))
    assert found == {
        1: Result(
            1, "127.0.0.1 answered 500 Internal Server Error; its run has ended", permanent=True
        ),
        2: Result(2),
    }
    server.answers.append(status(500))
    other = delivery(ping(url, "success", run=8), number=2)
    assert not results(place, delivery(ping(url, "start")), other)[1].permanent


def test_of_several_pings_in_one_delivery_the_first_may_have_been_sent(
    server: WebServer, place: Place
) -> None:
    url = f"{server.url}/KEY"
    both = delivery(ping(url, "start"), ping(url, "success"))
    server.answers += [status(200), status(500)]
    assert results(place, both)[1].sent == (0,)
    server.answers += [status(403), status(200)]
    refused = results(place, both)[1]
    assert (refused.permanent, refused.sent) == (True, (1,))
    assert server.paths() == ["/KEY/start", "/KEY"] * 2


def test_a_bug_is_no_silence(place: Place) -> None:
    broken = delivery(ping("http://127.0.0.1:1/KEY", "sometimes"))
    with pytest.raises(ValueError, match="sometimes"):
        results(place, broken)


def test_nothing_to_send_is_nothing(place: Place) -> None:
    assert results(place) == {}
