"""Requests and replies as lines of the control socket: a record in, its line out; a reply back.

One JSON object a line (RFC 8259, UTF-8). What may be asked is told in `protocol`, which also reads
requests; who only asks for the status has no need of the rest.
"""

from __future__ import annotations

import json
import re
from dataclasses import dataclass, fields
from datetime import datetime
from typing import TYPE_CHECKING

from scheduler.codec import Json, encode, stamp
from scheduler.errors import NoAnswer
from scheduler.past import Page

if TYPE_CHECKING:
    from _typeshed import DataclassInstance

VERSION = 1
_WORD_BEGINS = re.compile(r"(?<!^)(?=[A-Z])")


@dataclass(frozen=True, slots=True)
class Refused:
    """Why a request was not carried out: a stable word for machines, a sentence for a person."""

    code: str
    message: str


Received = Json | Refused  # as it came: with members that a newer daemon may have


def verb_of(kind: type[DataclassInstance]) -> str:
    """Return the word for what a request wants done: `save-table` of SaveTable."""
    return _WORD_BEGINS.sub("-", kind.__name__).lower()


def write(request: DataclassInstance) -> bytes:
    """Return the line that asks for this; times are cut to whole seconds."""
    members = {
        field.name: _written(value)
        for field in fields(request)
        if (value := getattr(request, field.name)) != field.default
    }
    return _line({"meridian": VERSION, "do": verb_of(type(request)), **members})


def as_json(reply: DataclassInstance | Json) -> Json:
    """Return the object that a reply is on the wire: `ok` says which of the two it is."""
    if isinstance(reply, Refused):
        return {"ok": False, "error": encode(reply)}
    return {"ok": True} | (reply if isinstance(reply, dict) else encode(reply))


def write_reply(reply: DataclassInstance | Json) -> bytes:
    """Return the line of a reply; TypeError for one that holds what JSON has no form for."""
    return _line(as_json(reply))


def read_reply(line: bytes) -> Received:
    """Return a reply without its `ok`; NoAnswer for a line that is none."""
    try:
        found = json.loads(line.decode())
        if found.pop("ok") is True:
            return dict(found)
        return Refused(str(found["error"]["code"]), str(found["error"]["message"]))
    except (ValueError, RecursionError, LookupError, TypeError, AttributeError) as error:
        why = "the daemon's answer makes no sense; is it of another version?"
        raise NoAnswer(why) from error


def _line(members: Json) -> bytes:
    return json.dumps(members).encode("ascii") + b"\n"


def _written(value: object) -> object:
    if isinstance(value, datetime):
        return stamp(value)
    return str(value) if isinstance(value, Page) else value
