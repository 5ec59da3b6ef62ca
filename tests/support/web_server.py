"""A real HTTP server on loopback that answers as a test says, and keeps what it was asked."""

from __future__ import annotations

import socket
import threading
import time
from contextlib import contextmanager, suppress
from dataclasses import dataclass, field
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import TYPE_CHECKING
from urllib.parse import parse_qsl, urlsplit

if TYPE_CHECKING:
    import ssl
    from collections.abc import Callable, Iterator


@dataclass(frozen=True)
class Asked:
    """One request as it came."""

    method: str
    path: str
    query: dict[str, str]
    headers: dict[str, str]
    body: bytes


@dataclass
class WebServer:
    """What was asked, and how the server answers: `answers` has the next ones, then all is well."""

    url: str = ""
    asked: list[Asked] = field(default_factory=list)
    answers: list[Callable[[BaseHTTPRequestHandler], None]] = field(default_factory=list)
    always: Callable[[BaseHTTPRequestHandler], None] | None = None

    def paths(self) -> list[str]:
        """The paths that were asked, in their order."""
        return [asked.path for asked in self.asked]


def status(
    code: int, body: bytes = b"", **headers: str
) -> Callable[[BaseHTTPRequestHandler], None]:
    """Answer with this status; a header's name has `_` for `-`."""

    def answer(handler: BaseHTTPRequestHandler) -> None:
        handler.send_response(code)
        for name, text in headers.items():
            handler.send_header(name.replace("_", "-"), text)
        handler.send_header("Content-Length", str(len(body)))
        handler.end_headers()
        handler.wfile.write(body)

    return answer


def hang(handler: BaseHTTPRequestHandler) -> None:
    """Say nothing, until the other side has gone."""
    handler.connection.settimeout(30)
    handler.connection.recv(1)


def drip(handler: BaseHTTPRequestHandler) -> None:
    """Send a header's letters one by one, and never come to its end."""
    handler.wfile.write(b"HTTP/1.1 200 OK\r\nX-Slow: ")
    with suppress(OSError):
        for _ in range(600):
            handler.wfile.write(b"a")
            time.sleep(0.05)


def drop(handler: BaseHTTPRequestHandler) -> None:
    """Hang up in the middle of the answer."""
    handler.wfile.write(b"HTTP/1.1 2")
    handler.connection.shutdown(socket.SHUT_RDWR)


@contextmanager
def web_server(context: ssl.SSLContext | None = None) -> Iterator[WebServer]:
    """Serve on a free port of 127.0.0.1 as long as the block takes; with TLS if told how."""
    server = WebServer()

    class Handler(BaseHTTPRequestHandler):
        protocol_version = "HTTP/1.1"

        def handle_one(self) -> None:
            url = urlsplit(self.path)
            body = self.rfile.read(int(self.headers.get("Content-Length", 0)))
            query = dict(parse_qsl(url.query, keep_blank_values=True))
            server.asked.append(Asked(self.command, url.path, query, dict(self.headers), body))
            answer = server.answers.pop(0) if server.answers else server.always
            (answer or status(200, b"OK"))(self)
            self.close_connection = True

        do_GET = do_POST = do_PUT = handle_one  # noqa: N815 (the library's names)

        def log_message(self, *_: object) -> None:
            pass

    class Quiet(ThreadingHTTPServer):
        daemon_threads = True

        def handle_error(self, *_: object) -> None:
            pass  # whoever hangs up on it does so on purpose

    with Quiet(("127.0.0.1", 0), Handler) as http:
        if context is not None:
            # Who comes shakes hands in the thread that serves them, which closes what goes wrong.
            http.socket = context.wrap_socket(
                http.socket, server_side=True, do_handshake_on_connect=False
            )
        server.url = f"http{'s' if context else ''}://127.0.0.1:{http.server_address[1]}"
        thread = threading.Thread(target=http.serve_forever, kwargs={"poll_interval": 0.02})
        thread.start()
        try:
            yield server
        finally:
            http.shutdown()
            thread.join()
