"""Addresses of buses as the D-Bus Specification writes them."""

from __future__ import annotations

import pytest

from scheduler.system import session_bus

RUNTIME = "/run/user/1000"


@pytest.mark.parametrize(
    ("text", "sockets", "why"),
    [
        ("unix:path=/run/user/1000/bus", ["/run/user/1000/bus"], "what systemd sets"),
        ("unix:path=/tmp/a,guid=0123", ["/tmp/a"], "the bus's own number says nothing of the place"),
        ("unix:abstract=/tmp/dbus-x,guid=01", ["\0/tmp/dbus-x"], "what dbus-launch of Linux sets"),
        ("unix:runtime=yes", ["/run/user/1000/bus"], "in the runtime folder"),
        ("unix:path=/tmp/a%20b%c3%a9%3b", ["/tmp/a bé;"], "escaped bytes"),
        ("unix:path=/tmp/a;unix:abstract=b;", ["/tmp/a", "\0b"], "a list, and its end"),
        (" unix:path=/tmp/a ;; ", ["/tmp/a"], "blanks and nothing"),
        ("", [], "an empty variable is none"),
    ],
)  # fmt: skip
def test_where_an_address_leads(text: str, sockets: list[str], why: str) -> None:
    found = session_bus.listed(text, RUNTIME)
    assert [each.socket for each in found] == sockets, why
    assert {each.refusal for each in found} <= {""}


@pytest.mark.parametrize(
    ("text", "refusal", "why"),
    [
        ("unixexec:path=/bin/sh,argv1=-c", "the transport unixexec is not supported", "it would run a program"),
        ("tcp:host=localhost,port=1", "the transport tcp is not supported", "nobody knows who listens"),
        ("nonce-tcp:host=localhost", "the transport nonce-tcp is not supported", "the same"),
        ("autolaunch:", "the transport autolaunch is not supported", "it would start a bus that nobody looks at"),
        ("launchd:env=DBUS_LAUNCHD", "the transport launchd is not supported", "a Mac's"),
        ("unix:dir=/tmp", "names no socket to connect to", "for who listens"),
        ("unix:", "names no socket to connect to", "nothing in it"),
        ("unix:path", "is no address of a bus", "no value"),
        ("nonsense", "is no address of a bus", "no transport"),
        (":path=/x", "is no address of a bus", "no name of one"),
    ],
)  # fmt: skip
def test_an_address_that_is_not_used_is_refused_by_its_name(
    text: str, refusal: str, why: str
) -> None:
    (found,) = session_bus.listed(text, RUNTIME)
    assert (found.text, found.refusal, found.socket) == (text, refusal, ""), why


def test_the_runtime_folder_has_to_be_known() -> None:
    (found,) = session_bus.listed("unix:runtime=yes", "")
    assert found.refusal == "XDG_RUNTIME_DIR is not set"
