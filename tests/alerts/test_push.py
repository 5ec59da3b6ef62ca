"""Addresses that Apprise knows, against a real HTTP server, and files of several of them."""

from __future__ import annotations

import json
import socket
import ssl
import time
from concurrent.futures import ThreadPoolExecutor
from contextlib import closing
from typing import TYPE_CHECKING

import pytest
import trustme
from notices import delivery, notice, wrote
from web_server import WebServer, drip, drop, hang, status, web_server

from scheduler.alerts import apprise_address, sendmail
from scheduler.alerts import push as channel
from scheduler.alerts.channel import Place
from scheduler.alerts.told_addresses import MOST_DELIVERIES, TOLD_FILE, ToldAddresses, hashed
from scheduler.notice import Delivery, Kind, Result

if TYPE_CHECKING:
    from pathlib import Path


def address(server: WebServer, scheme: str = "json", path: str = "/s3cretKEY") -> str:
    return f"{scheme}://{server.url.partition('://')[2]}{path}"


def result(place: Place, told: Delivery) -> Result:
    [found] = channel.send([told], place)
    assert "s3cret" not in found.error
    return found


def team(place: Place, *addresses: str) -> Delivery:
    """A failure that a file of these addresses is told."""
    file = place.config / "alerts" / "team"
    file.parent.mkdir(exist_ok=True)
    file.write_text("\n".join(addresses))
    file.chmod(0o600)
    return delivery(notice("@team"))


# --- one address ---------------------------------------------------------------------------------


def test_a_webhook_gets_subject_and_text(server: WebServer, place: Place) -> None:
    wrote(place.state, b"disk full <b>now</b>\n")
    assert result(place, delivery(notice(address(server)))) == Result(1)
    [asked] = server.asked
    told = json.loads(asked.body)
    assert asked.path == "/s3cretKEY"
    assert told["title"].startswith("backup ")
    assert "disk full <b>now</b>" in told["message"]  # plain text
    assert told["type"] == "failure"


def test_a_recovery_is_a_success_to_apprise(server: WebServer, place: Place) -> None:
    assert result(place, delivery(notice(address(server), Kind.RECOVERY))) == Result(1)
    assert json.loads(server.asked[0].body)["type"] == "success"


def test_other_services_are_told_in_their_own_way(server: WebServer, place: Place) -> None:
    assert result(place, delivery(notice(address(server, "ntfy", "/topic")))) == Result(1)
    assert result(place, delivery(notice(address(server, "form")))) == Result(1)
    assert b"backup" in server.asked[0].body
    assert b"backup" in server.asked[1].body


def test_what_is_too_long_for_a_service_is_cut(server: WebServer, place: Place) -> None:
    wrote(place.state, b"x" * 100_000)
    long = notice(address(server, "ntfy", "/topic"), command="y" * 10_000)
    assert result(place, delivery(long)) == Result(1)
    assert len(server.asked[0].body) < 20_000


@pytest.mark.parametrize("code", [400, 404, 429, 500, 503])
def test_what_a_service_refuses_is_tried_again(server: WebServer, place: Place, code: int) -> None:
    server.always = status(code)
    found = result(place, delivery(notice(address(server))))
    assert found.error.startswith("json://…: Failed to send JSON POST notification: ")
    assert str(code) in found.error
    assert (found.permanent, found.is_unsure) == (False, False)


@pytest.mark.parametrize("answer", [drop, status(302, Location="/again")])
def test_a_service_that_makes_no_sense_is_tried_again_with_a_mark(
    server: WebServer, place: Place, answer: object
) -> None:
    server.always = answer  # type: ignore[assignment]
    found = result(place, delivery(notice(address(server))))
    assert found.error.startswith("json://…: ")
    assert (found.permanent, found.is_unsure) == (False, True)


def test_nobody_there_is_tried_again(place: Place) -> None:
    with closing(socket.socket()) as nobody:
        nobody.bind(("127.0.0.1", 0))
        target = f"json://127.0.0.1:{nobody.getsockname()[1]}/s3cretKEY"
        found = result(place, delivery(notice(target)))
    assert found.error.startswith("json://…: A Connection error occurred")
    assert (found.permanent, found.is_unsure) == (False, False)


@pytest.mark.parametrize("answer", [hang, drip])
def test_a_service_has_so_many_seconds(
    server: WebServer, place: Place, answer: object, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(apprise_address, "ADDRESS_SECONDS", 0.5)
    server.always = answer  # type: ignore[assignment]
    begin = time.monotonic()
    found = result(place, delivery(notice(address(server))))
    assert found == Result(1, "json://… did not answer in 0.5 s", is_unsure=True)
    assert time.monotonic() - begin < 10


def test_a_service_with_a_wrong_certificate_hears_nothing(place: Place) -> None:
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    trustme.CA().issue_cert("127.0.0.1").configure_cert(context)
    with web_server(context) as server:
        found = result(place, delivery(notice(address(server, "jsons"))))
        assert found.error.startswith("jsons://…: A Connection error occurred")
        assert server.asked == []


@pytest.mark.parametrize("target", ["nosuch://s3cret/s3cret", "slack://s3cret", "tgram://s3cret:x"])
def test_an_address_that_apprise_does_not_know_is_given_up(place: Place, target: str) -> None:
    found = result(place, delivery(notice(target)))
    assert found.permanent
    assert found.error.startswith(f"{target.partition('://')[0]}://…: ")


def test_what_apprise_says_has_no_part_of_an_address_in_it() -> None:
    address = "slack://T0K3N/9x8y7z/%6bey4/#ops?footer=no&tok=abcd"
    said = "Failed at T0K3N/9x8y7z with key4 or %6bey4, abcd, slack://T0K3N/x\x1b[2J to ops"
    found = apprise_address._reason(said, address)
    assert not any(key in found for key in ("T0K3N", "9x8y7z", "key4", "%6bey4", "abcd", "\x1b"))
    assert found.startswith("Failed at ***/***")


def test_without_apprise_it_says_how_to_get_it(
    place: Place, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(apprise_address, "HAVE_APPRISE", False)
    found = result(place, delivery(notice("ntfy://s3cret")))
    assert "make install EXTRAS=alerts" in found.error
    assert "pip install 'meridian-cron[alerts]'" in found.error
    assert found.permanent


def test_one_that_fails_keeps_no_other_from_being_sent(server: WebServer, place: Place) -> None:
    bad = delivery(notice("nosuch://x"))
    good = delivery(notice(address(server)), number=2)
    assert [each.permanent for each in channel.send([bad, good], place)] == [True, False]
    assert len(server.asked) == 1


# --- a file of addresses -------------------------------------------------------------------------


def test_all_addresses_of_a_file_are_told(server: WebServer, place: Place) -> None:
    told = team(
        place, address(server), address(server, path="/other"), f"| touch {place.state}/ran"
    )
    assert result(place, told) == Result(1)
    assert sorted(server.paths()) == ["/other", "/s3cretKEY"]
    assert (place.state / "ran").exists()


def test_an_address_of_a_file_may_be_a_mails(place: Place, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(sendmail, "MAILERS", ())
    program = place.state / "bin" / "sendmail"
    program.parent.mkdir()
    program.write_text(f"#!/bin/sh\ncat >> {place.state}/mails\n")
    program.chmod(0o700)
    path = {"PATH": f"{program.parent}:/usr/bin:/bin"}
    mailing = Place(place.state, place.config, path)
    assert result(mailing, team(mailing, "mail", "mail:ops@example.org")) == Result(1)
    mails = (place.state / "mails").read_text()
    assert "To: ops@example.org" in mails
    assert mails.count("\nTo: ") == 2


def test_one_that_fails_is_tried_again_alone(server: WebServer, place: Place) -> None:
    with web_server() as other:
        other.always = status(500)
        told = team(place, address(server), address(other))
        found = result(place, told)
        assert found.error.startswith("1 of 2 addresses: json://…: Failed to send")
        assert not found.permanent
        other.always = None
        assert result(place, told) == Result(1)
        assert (len(server.asked), len(other.asked)) == (1, 2)
        # It is through, so the same number in another journal is another delivery.
        assert json.loads((place.state / TOLD_FILE).read_text()) == {}


def test_the_same_is_told_once_even_if_its_sender_was_killed(
    server: WebServer, place: Place
) -> None:
    told = team(place, address(server), "nosuch://x")
    ToldAddresses(place.state).add(told, address(server))
    assert result(place, told).permanent
    assert server.asked == []


def test_another_delivery_is_told_to_all(server: WebServer, place: Place) -> None:
    with web_server() as other:
        other.always = status(500)
        result(place, team(place, address(server), address(other)))
        again = delivery(notice("@team", run=8))
        result(place, again)
        assert len(server.asked) == 2


def test_an_address_that_hangs_keeps_no_other_waiting(
    server: WebServer, place: Place, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(apprise_address, "ADDRESS_SECONDS", 1.0)
    with web_server() as dead:
        dead.always = hang
        slow = [address(dead, path=f"/{n}") for n in range(8)]
        begin = time.monotonic()
        found = result(place, team(place, *slow, address(server)))
        assert time.monotonic() - begin < 5
    assert found.error.startswith("8 of 9 addresses: json://… did not answer in 1 s; ")
    assert len(server.asked) == 1


def test_a_file_that_is_not_there_is_given_up(place: Place) -> None:
    found = result(place, delivery(notice("@nobody")))
    assert found.permanent
    assert "there is no such file" in found.error


def test_what_was_told_is_no_secret_and_has_an_end(place: Place) -> None:
    told = ToldAddresses(place.state)
    for number in range(MOST_DELIVERIES + 5):
        told.add(delivery(notice("@team"), number=number), "json://h/s3cret")
    text = (place.state / TOLD_FILE).read_text()
    assert len(json.loads(text)) == MOST_DELIVERIES
    assert "s3cret" not in text
    assert (place.state / TOLD_FILE).stat().st_mode & 0o777 == 0o600


@pytest.mark.parametrize("text", ["", "{", "[]", '{"a": 1}', "\xff"])
def test_a_damaged_file_of_what_was_told_is_an_empty_one(place: Place, text: str) -> None:
    (place.state / TOLD_FILE).write_text(text, encoding="latin-1")
    told, known = delivery(notice("@team")), ToldAddresses(place.state)
    assert known.of(told) == frozenset()
    known.add(told, "json://h")
    assert known.of(told) == {hashed("json://h")}


def test_a_disk_that_takes_nothing_only_forgets(tmp_path: Path) -> None:
    nowhere = ToldAddresses(tmp_path / "no" / "folder")
    told = delivery(notice("@team"))
    nowhere.add(told, "json://h")
    nowhere.forget(told)
    assert nowhere.of(told) == frozenset()


def test_two_senders_at_once_forget_nothing(place: Place) -> None:
    one, other = ToldAddresses(place.state), ToldAddresses(place.state)
    first, second = delivery(notice("@a")), delivery(notice("@b"), number=2)
    with ThreadPoolExecutor(2) as pool:
        for n in range(20):
            pool.submit(one.add, first, f"json://{n}")
            pool.submit(other.add, second, f"json://{n}")
    assert (len(one.of(first)), len(one.of(second))) == (20, 20)
