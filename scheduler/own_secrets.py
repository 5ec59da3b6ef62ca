"""An entry in, its own secrets out, and by what another process knows them; a text, without them.

A notice is stored, and sent by a process that has no crontab. So it has fingerprints of secrets in
place of these: a length, a digest (BLAKE2, RFC 7693) salted by the job's name, and a probe, which
is eight bits of what its first four bytes come to: so a text is searched in one go, and only one
place in 256 is looked at. Whoever reads the journal can try values one by one, but may read the
crontab as well.
"""

from __future__ import annotations

import json
import re
from collections import defaultdict
from functools import lru_cache, reduce
from hashlib import blake2b, shake_256
from operator import xor
from typing import TYPE_CHECKING, NamedTuple, Self
from urllib.parse import quote, quote_plus

from scheduler import secret_forms as forms
from scheduler.secret_forms import is_secret
from scheduler.secret_words import secrets_in

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator

    from scheduler.entry import Entry, Environment

SHORTEST_SECRET = 4  # characters; a text would be stars all over for a shorter value
_SHORT_VALUE = 8  # characters; a value below it counts only as a word of its own
_MOST_OF_COMMAND = 20_000  # characters of a command or variable, as `mask` does
_MOST_FINGERPRINTS = 500  # of an entry: all are in each notice of it
TOO_MANY = ("too many",)  # the fingerprints of more: no text is known to be without them
_DIGEST_BYTES = 12
_PROBED = 4  # bytes; no secret is shorter
_WORD_LETTER = re.compile(rb"\w")


def of_entry(entry: Entry) -> list[str]:
    """Return an entry's own secrets, the longest first.

    They are the values of its variables with secret names, and what is starred in its other
    variables, its command, its standard input, and the addresses that it tells.
    """
    rule = entry.settings.alert
    targets = (entry.settings.ping, *(() if rule is None else rule.targets))
    found = _of_variables(entry.environment)
    found |= _of_texts((entry.command, entry.stdin or "", *targets))
    for target in targets:
        found.update(address["secret"] for address in forms.ADDRESS.finditer(target))
    return worth_hiding(found)


def of_variables(variables: Iterable[tuple[str, str]]) -> list[str]:
    """Return the secrets in variables that a job has not from its entry, the longest first."""
    return worth_hiding(_of_variables(tuple(variables)))


def worth_hiding(values: Iterable[str]) -> list[str]:
    """Return those that a text may be searched for, the longest first."""
    return [
        value
        for value in sorted({value.strip() for value in values}, key=len, reverse=True)
        if len(value) >= SHORTEST_SECRET and not forms.PLAIN_VALUE.fullmatch(value)
    ]


def _of_variables(variables: Environment) -> set[str]:
    found = {value for name, value in variables if is_secret(name)}
    return found | _of_texts(value for name, value in variables if not is_secret(name))


def _of_texts(texts: Iterable[str]) -> set[str]:
    return {
        each[begin:end]
        for each in texts
        if forms.may_have_secrets(each)
        for begin, end in secrets_in(each[:_MOST_OF_COMMAND])
    }


def pattern(value: str) -> re.Pattern[str]:
    """Return what a secret looks like in a text: also as a URL or JSON would write it."""
    every = "|".join(map(re.escape, sorted(_ways(value), key=len, reverse=True)))
    return re.compile(rf"(?<!\w)(?:{every})(?!\w)" if len(value) < _SHORT_VALUE else every)


def may_be_in(text: str, value: str) -> bool:
    """Say whether it is worth a look for the pattern of a secret."""
    return any(way in text for way in _ways(value))


def _ways(value: str) -> set[str]:
    raw = value.encode("utf-8", "surrogateescape")
    return {value, quote(raw, safe=""), quote(raw), quote_plus(raw), json.dumps(value)[1:-1]}


def fingerprints(entry: Entry, inherited: tuple[str, ...] = ()) -> tuple[str, ...]:
    """Return by what an entry's own secrets are known in a text, with those that all inherit.

    A part of them would let others through: of too many it is TOO_MANY.
    """
    found = fingerprints_of(of_entry(entry), entry.job) + inherited
    return found if len(found) <= _MOST_FINGERPRINTS else TOO_MANY


def fingerprints_of(secrets: Iterable[str], whose: str = "") -> tuple[str, ...]:
    """Return by what secrets are known in a text; those of no job are inherited by all."""
    salt = blake2b(whose.encode(errors="surrogateescape"), digest_size=8).digest()
    found: list[str] = []
    for value in secrets:
        kind = "word" if len(value) < _SHORT_VALUE else "text"
        for way in sorted(_ways(value)):
            raw = way.encode("utf-8", "surrogateescape")
            probe = _probes(raw[:_PROBED], salt)
            found.append(str(_Fingerprint(kind, len(raw), salt, probe, _digest(raw, salt))))
    return tuple(found)


class _Fingerprint(NamedTuple):
    """By what a secret is known: a `word` counts only where it is no part of a longer one."""

    kind: str
    length: int
    salt: bytes
    probe: bytes
    digest: bytes

    @classmethod
    def read(cls, text: str) -> Self:
        kind, length, salt, probe, digest = text.split(" ")
        return cls(kind, int(length), *map(bytes.fromhex, (salt, probe, digest)))

    def __str__(self) -> str:
        parts = (self.salt, self.probe, self.digest)
        return f"{self.kind} {self.length} {' '.join(part.hex() for part in parts)}"

    def is_at(self, begin: int, raw: bytes) -> bool:
        end = begin + self.length
        if _digest(raw[begin:end], self.salt) != self.digest:
            return False
        return self.kind == "text" or _is_word(raw, begin, end)


def masked_by(known: Iterable[str], told: str, mask: str) -> str:
    """Return a text with `mask` for each secret of which this is a fingerprint.

    Of TOO_MANY it is all mask.
    """
    known = tuple(known)
    if known == TOO_MANY:
        return mask if told else told
    raw = told.encode("utf-8", "surrogateescape")
    spans = sorted(_spans(known, raw), key=lambda span: (span[0], -span[1]))
    pieces, end = [], 0
    for begin, until in spans:
        if begin >= end:
            pieces += [raw[end:begin], mask.encode()]
        end = max(end, until)
    return b"".join((*pieces, raw[end:])).decode("utf-8", "surrogateescape")


def _spans(known: Iterable[str], raw: bytes) -> Iterator[tuple[int, int]]:
    by_salt: dict[bytes, list[_Fingerprint]] = defaultdict(list)
    for each in map(_Fingerprint.read, known):
        by_salt[each.salt].append(each)
    for salt, some in by_salt.items():
        probes = _probes(raw, salt)
        for each in some:
            begin = probes.find(each.probe)
            while begin >= 0:
                if each.is_at(begin, raw):
                    yield begin, begin + each.length
                begin = probes.find(each.probe, begin + 1)


def _probes(raw: bytes, salt: bytes) -> bytes:
    """Return what each byte comes to with the three behind it, for all bytes that have three."""
    size = max(0, len(raw) - _PROBED + 1)
    columns = (int.from_bytes(raw[at : at + size].translate(table)) for at, table in _tables(salt))
    return reduce(xor, columns).to_bytes(size)


@lru_cache(8)
def _tables(salt: bytes) -> list[tuple[int, bytes]]:
    """Return what each byte of a probed four is turned into: any bytes, of which nobody knows."""
    return [(at, shake_256(salt + bytes([at])).digest(256)) for at in range(_PROBED)]


def _is_word(raw: bytes, begin: int, end: int) -> bool:
    around = raw[max(0, begin - 1) : begin] + raw[end : end + 1]
    return _WORD_LETTER.search(around) is None


def _digest(raw: bytes, salt: bytes) -> bytes:
    return blake2b(raw, digest_size=_DIGEST_BYTES, salt=salt).digest()
