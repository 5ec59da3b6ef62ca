"""A URL and a body in, one HTTP request out; NotSent with the reason where it is not taken.

By urllib, with the proxies that the environment names (http_proxy, https_proxy, no_proxy).
Certificates are verified, by the system's authorities or those of SSL_CERT_FILE. A URL is a secret:
errors name its host alone.
"""

from __future__ import annotations

import base64
import http.client
import os
import ssl
from functools import cache
from http import HTTPStatus
from typing import IO, TYPE_CHECKING
from urllib import request
from urllib.error import HTTPError, URLError
from urllib.parse import unquote, urlsplit

from scheduler import __version__
from scheduler.alerts.channel import NotSent
from scheduler.printable import clean
from scheduler.redact import mask
from scheduler.system.background import within
from scheduler.text import shortened

if TYPE_CHECKING:
    from http.client import HTTPMessage
    from urllib.parse import SplitResult
    from urllib.request import Request

MOST_REDIRECTS = 5
_NO_URL = "the URL is none that can be asked"
_AUTHORITIES = ("SSL_CERT_FILE", "SSL_CERT_DIR")  # what OpenSSL reads of the environment
_MOST_ANSWER = 200  # bytes of an answer that are looked at
_MOST_WHY = 200  # characters of somebody else's words
# What a server says of a place that it does not have, or takes nothing at.
_NO_SUCH_PLACE = frozenset({HTTPStatus.NOT_FOUND, HTTPStatus.METHOD_NOT_ALLOWED})
# What a server may not mean for good: its own trouble is >= 500.
_PASSING = frozenset(
    {HTTPStatus.REQUEST_TIMEOUT, HTTPStatus.TOO_EARLY, HTTPStatus.TOO_MANY_REQUESTS}
)
_SAME_METHOD = (HTTPStatus.TEMPORARY_REDIRECT, HTTPStatus.PERMANENT_REDIRECT)


class NoSuchPlace(NotSent):
    """The server answers, and has nothing at this URL that takes a request."""


def send(url: str, body: bytes | None, seconds: float) -> str:
    """POST a body, or GET where that is None; return the beginning of the answer.

    All of it, redirects included, has so many seconds. Raises NotSent: for good where the server
    does not want this request (4xx; NoSuchPlace for some of them), or the URL is none; unsure where
    the server had the request and did not answer.
    """
    try:
        host, asked = _request(urlsplit(url), body)
    except ValueError as error:
        raise NotSent(_NO_URL, permanent=True) from error
    try:
        return within(seconds, lambda: _answer(asked, seconds), "the web server")
    except HTTPError as error:
        raise _refusal(host, error) from None
    except TimeoutError:
        raise _too_late(host, seconds) from None
    except http.client.InvalidURL:
        raise NotSent(_NO_URL, permanent=True) from None
    except (OSError, http.client.HTTPException, ValueError) as error:
        why = error.reason if isinstance(error, URLError) else error
        is_asked = not isinstance(error, URLError | ValueError)  # urllib wraps what comes before
        if isinstance(why, TimeoutError):
            raise _too_late(host, seconds, is_unsure=is_asked) from None
        raise NotSent(f"{host}: {_reason(why)}", is_unsure=is_asked) from None


def _request(url: SplitResult, body: bytes | None) -> tuple[str, Request]:
    """Return the host to name in errors, and the request; a login in the URL is a header (7617)."""
    login, _, place = url.netloc.rpartition("@")
    bare = url._replace(netloc=place).geturl()
    bare.encode("ascii")
    if url.scheme not in ("http", "https") or not url.hostname or url.port == 0:
        raise ValueError(url.scheme)
    asked = request.Request(bare, data=body)  # noqa: S310 (the scheme has just been checked)
    asked.add_header("User-Agent", f"meridian/{__version__}")
    if body is not None:
        asked.add_header("Content-Type", "text/plain; charset=utf-8")
    if login:
        plain = base64.b64encode(unquote(login).encode()).decode()
        asked.add_unredirected_header("Authorization", f"Basic {plain}")
    return url.hostname, asked


def _answer(asked: Request, seconds: float) -> str:
    trust = _trust(*(os.environ.get(name) for name in _AUTHORITIES))
    opener = request.build_opener(_Redirects, request.HTTPSHandler(context=trust))
    with opener.open(asked, timeout=seconds) as answer:
        return str(answer.read(_MOST_ANSWER), "utf-8", "replace")


@cache
def _trust(*_: str | None) -> ssl.SSLContext:
    """Return what TLS goes by; it takes a while to read all authorities, so they are read once."""
    return ssl.create_default_context()


class _Redirects(request.HTTPRedirectHandler):
    """Goes where a server sends it, at most MOST_REDIRECTS times, never from https to http."""

    max_redirections = MOST_REDIRECTS
    max_repeats = MOST_REDIRECTS

    def redirect_request(
        self,
        req: Request,
        fp: IO[bytes],
        code: int,
        msg: str,
        headers: HTTPMessage,
        newurl: str,
    ) -> Request | None:
        scheme = urlsplit(newurl).scheme
        if scheme not in ("http", "https") or (req.type == "https" and scheme == "http"):
            fp.close()
            why = f"{req.host} leads from {req.type} to {shortened(scheme)}"
            raise NotSent(why, permanent=True)
        if code in _SAME_METHOD:  # RFC 9110, 15.4.8: with the same method and body
            return request.Request(newurl, data=req.data, headers=req.headers)  # noqa: S310 (above)
        return super().redirect_request(req, fp, code, msg, headers, newurl)


def _refusal(host: str, error: HTTPError) -> NotSent:
    code = error.code
    error.close()
    if 300 <= code < 400:
        return NotSent(f"{host} redirects for ever, or nowhere ({code})", permanent=True)
    if code in _NO_SUCH_PLACE:
        return NoSuchPlace(f"{host} answered {_named(code)}", permanent=True)
    permanent = 400 <= code < 500 and code not in _PASSING
    return NotSent(f"{host} answered {_named(code)}", permanent=permanent)


def _named(code: int) -> str:
    """Return a status with the standard's own words: a server's may repeat the URL."""
    try:
        return f"{code} {HTTPStatus(code).phrase}"
    except ValueError:
        return str(code)


def _too_late(host: str, seconds: float, *, is_unsure: bool = True) -> NotSent:
    return NotSent(f"{host} did not answer in {seconds:g} s", is_unsure=is_unsure)


def _reason(why: BaseException | str) -> str:
    """Return what went wrong, as the system or TLS says it."""
    if isinstance(why, ssl.SSLCertVerificationError):
        return f"its certificate is not trusted: {why.verify_message}"
    if isinstance(why, OSError) and why.strerror:
        return why.strerror
    if isinstance(why, http.client.HTTPException | ConnectionError):
        return f"the connection ended in the middle ({type(why).__name__})"
    return mask(clean(str(why)))[:_MOST_WHY]
