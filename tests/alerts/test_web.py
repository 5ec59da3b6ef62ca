"""One HTTP request, against a real server: what is taken, what is not, and for how long."""

from __future__ import annotations

import socket
import ssl
import time
from base64 import b64encode
from contextlib import closing
from typing import TYPE_CHECKING

import pytest
import trustme
from web_server import WebServer, drip, drop, hang, status, web_server

from scheduler.alerts import web
from scheduler.alerts.channel import NotSent

if TYPE_CHECKING:
    from pathlib import Path


def refused(url: str, seconds: float = 5.0) -> NotSent:
    """What is said of a request that is not taken."""
    with pytest.raises(NotSent) as caught:
        web.send(url, b"hello", seconds)
    assert "KEY" not in str(caught.value)  # which each URL of these tests has in it
    return caught.value


def test_what_is_sent_and_what_is_answered(server: WebServer) -> None:
    assert web.send(f"{server.url}/KEY?a=1", b"hello", 5) == "OK"
    assert web.send(f"{server.url}/KEY", None, 5) == "OK"
    posted, got = server.asked
    assert (posted.method, posted.path, posted.query) == ("POST", "/KEY", {"a": "1"})
    assert posted.body == b"hello"
    assert posted.headers["Content-Type"] == "text/plain; charset=utf-8"
    assert posted.headers["User-Agent"].startswith("meridian/")
    assert (got.method, got.body) == ("GET", b"")


def test_an_empty_body_is_posted_all_the_same(server: WebServer) -> None:
    web.send(server.url, b"", 5)
    assert server.asked[0].method == "POST"


@pytest.mark.parametrize(
    ("code", "permanent", "words"),
    [
        (400, True, "400 Bad Request"),
        (404, True, "404 Not Found"),
        (408, False, "408 Request Timeout"),
        (409, True, "409 Conflict"),
        (425, False, "425 Too Early"),
        (429, False, "429 Too Many Requests"),
        (499, True, "499"),
        (500, False, "500 Internal Server Error"),
        (503, False, "503 Service Unavailable"),
        (304, True, "304"),
        (302, True, "302"),  # without a Location
    ],
)
def test_what_a_server_refuses_for_good(
    server: WebServer, code: int, permanent: bool, words: str
) -> None:
    server.answers.append(status(code))
    found = refused(f"{server.url}/KEY")
    assert found.permanent is permanent
    assert "127.0.0.1" in str(found)
    assert words in str(found)


@pytest.mark.parametrize("answer", [hang, drip])
def test_a_server_has_so_many_seconds_in_all(server: WebServer, answer: object) -> None:
    server.always = answer  # type: ignore[assignment]
    begin = time.monotonic()
    found = refused(f"{server.url}/KEY", 0.3)
    assert time.monotonic() - begin < 5
    assert str(found) == "127.0.0.1 did not answer in 0.3 s"
    assert (found.permanent, found.is_unsure) == (False, True)


def test_a_server_that_hangs_up_is_asked_again_later(server: WebServer) -> None:
    server.answers.append(drop)
    found = refused(f"{server.url}/KEY")
    assert (found.permanent, found.is_unsure) == (False, True)
    assert "127.0.0.1: the connection ended in the middle" in str(found)


def test_nobody_there_is_asked_again_later() -> None:
    with closing(socket.socket()) as nobody:
        nobody.bind(("127.0.0.1", 0))
        found = refused(f"http://127.0.0.1:{nobody.getsockname()[1]}/KEY")
    assert str(found) == "127.0.0.1: Connection refused"
    assert (found.permanent, found.is_unsure) == (False, False)


def test_a_name_that_nobody_has_is_asked_again_later() -> None:
    found = refused("http://nobody.invalid/KEY")
    assert "nobody.invalid: " in str(found)
    assert not found.permanent


def test_redirects_have_an_end(server: WebServer) -> None:
    server.always = status(302, Location="/again/KEY")
    found = refused(f"{server.url}/KEY")
    assert len(server.asked) == web.MOST_REDIRECTS + 1
    assert str(found) == "127.0.0.1 redirects for ever, or nowhere (302)"
    assert found.permanent


def test_a_redirect_that_keeps_the_method_keeps_the_body(server: WebServer) -> None:
    server.answers += [status(308, Location="/other"), status(307, Location="/last")]
    web.send(server.url, b"hello", 5)
    assert [(asked.method, asked.path, asked.body) for asked in server.asked][1:] == [
        ("POST", "/other", b"hello"),
        ("POST", "/last", b"hello"),
    ]


def test_no_redirect_leads_out_of_the_web(server: WebServer, tmp_path: Path) -> None:
    secret = tmp_path / "KEY"
    secret.write_text("OK")
    for where in (f"file://{secret}", "ftp://127.0.0.1/KEY"):
        server.answers.append(status(302, Location=where))
        assert refused(f"{server.url}/KEY").permanent


@pytest.mark.parametrize(
    "url",
    [
        "http://",
        "KEY",
        "http://h:99999/KEY",
        "http://h:x/KEY",
        "http://h/KEY a",
        "ftp://h/KEY",
        "http://[::/KEY",
        "http://h/KEY\N{EURO SIGN}",
    ],
)
def test_what_is_no_url_of_the_web_is_not_tried(url: str) -> None:
    found = refused(url)
    assert str(found) == "the URL is none that can be asked"
    assert found.permanent


def test_a_login_in_the_url_is_a_header_and_goes_nowhere_else(server: WebServer) -> None:
    with web_server() as other:
        server.answers.append(status(302, Location=f"{other.url}/elsewhere"))
        login = server.url.replace("//", "//ada:s%3Acret@")
        web.send(f"{login}/KEY", b"", 5)
        assert (
            server.asked[0].headers["Authorization"] == f"Basic {b64encode(b'ada:s:cret').decode()}"
        )
        assert "Authorization" not in other.asked[0].headers


def test_a_proxy_of_the_environment_is_asked(
    server: WebServer, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("http_proxy", server.url)
    monkeypatch.delenv("no_proxy", raising=False)
    web.send("http://example.invalid/KEY", b"", 5)
    assert server.asked[0].headers["Host"] == "example.invalid"
    monkeypatch.setenv("no_proxy", "example.invalid")
    assert not refused("http://example.invalid/KEY").permanent


# --- TLS -----------------------------------------------------------------------------------------


@pytest.fixture
def authority(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> trustme.CA:
    ca = trustme.CA()
    ca.cert_pem.write_to_path(str(tmp_path / "ca.pem"))
    monkeypatch.setenv("SSL_CERT_FILE", str(tmp_path / "ca.pem"))
    return ca


def certified(ca: trustme.CA, name: str) -> ssl.SSLContext:
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    ca.issue_cert(name).configure_cert(context)
    return context


def test_a_server_with_a_right_certificate_is_told(authority: trustme.CA) -> None:
    with web_server(certified(authority, "127.0.0.1")) as server:
        assert web.send(f"{server.url}/KEY", b"hello", 5) == "OK"
        assert server.asked[0].body == b"hello"


@pytest.mark.parametrize(
    ("name", "is_known", "words"),
    [
        (
            "127.0.0.1",
            False,
            "its certificate is not trusted: unable to get local issuer certificate",
        ),
        ("example.org", True, "its certificate is not trusted: IP address mismatch"),
    ],
)
def test_a_server_with_a_wrong_certificate_hears_nothing(
    authority: trustme.CA, name: str, is_known: bool, words: str
) -> None:
    ca = authority if is_known else trustme.CA()
    with web_server(certified(ca, name)) as server:
        found = refused(f"{server.url}/KEY")
        assert words in str(found)
        assert not found.permanent  # it may get a right one
        assert server.asked == []


def test_nothing_leads_from_https_to_http(authority: trustme.CA) -> None:
    with web_server() as plain, web_server(certified(authority, "127.0.0.1")) as server:
        server.answers.append(status(302, Location=f"{plain.url}/KEY"))
        found = refused(f"{server.url}/KEY")
        assert "leads from https to 'http'" in str(found)
        assert found.permanent
        assert plain.asked == []
