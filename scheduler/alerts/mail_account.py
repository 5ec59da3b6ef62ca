"""The account file of the mail channel in, how to reach its SMTP server out.

`mail.toml` stands in the config folder, or among the credentials that systemd gives a service. It
is its user's alone, since it has a password: no command line and no crontab ever has one.
"""

from __future__ import annotations

import ipaddress
import os
import re
import tomllib
from dataclasses import dataclass, field
from enum import StrEnum
from typing import TYPE_CHECKING, Any

from scheduler.alerts.channel import NotSent
from scheduler.crontab import mail_variables
from scheduler.errors import BadValue, SourceRefused
from scheduler.suggestions import did_you_mean, nearest
from scheduler.system import private_file
from scheduler.text import shortened

if TYPE_CHECKING:
    from pathlib import Path

    from scheduler.alerts.channel import Place

ACCOUNT_FILE = "mail.toml"
_TEXT_KEYS = ("host", "tls", "user", "password", "password_file", "from", "to", "domain", "ca_file")
_ACCOUNT_KEYS = (*_TEXT_KEYS, "port")
_TOML_PLACE = re.compile(r" \(at (?:line (\d+), column \d+|end of document)\)$")
_HOST_NAME = re.compile(r"[A-Za-z0-9._-]+")


class Encryption(StrEnum):
    """How the connection is kept private: from its first byte, from STARTTLS on, or not at all."""

    TLS = "tls"
    STARTTLS = "starttls"
    NONE = "none"


_PORTS = {Encryption.TLS: 465, Encryption.STARTTLS: 587, Encryption.NONE: 25}


@dataclass(frozen=True, slots=True)
class MailAccount:
    """An SMTP server and who we are to it; `sender`, `to` and `domain` are "" where not given.

    `to` is who is meant by mail without an address, `domain` what a name without one is at.
    """

    file: str
    host: str
    port: int
    tls: Encryption
    user: str = ""
    password: str = field(default="", repr=False)
    sender: str = ""
    to: str = ""
    domain: str = ""
    ca_file: str = ""


def read(place: Place) -> MailAccount | None:
    """Return the account of this user; None where there is no account file.

    That of systemd's credentials comes first. Raises NotSent, with file and line, for one that
    can't be used as it is; that is no reason to give up a mail, since it may be mended.
    """
    uid = os.getuid()
    for file, by_systemd in _files(place):
        try:
            text = private_file.read(file, uid, kept_by_systemd=by_systemd)
            return _AccountFile(str(file), text).read(file.parent, uid, kept_by_systemd=by_systemd)
        except FileNotFoundError:
            continue
        except SourceRefused as refused:
            raise NotSent(str(refused)) from refused
    return None


def is_loopback(host: str) -> bool:
    """Say whether what goes to this host stays on the machine: RFC 6761, 6.3."""
    try:
        return ipaddress.ip_address(host).is_loopback
    except ValueError:
        return host.lower() == "localhost"


def _is_host(text: str) -> bool:
    """Say whether it is a name or an address; only one of IPv6 has colons in it."""
    if _HOST_NAME.fullmatch(text):
        return True
    try:
        return ipaddress.ip_address(text).version == 6
    except ValueError:
        return False


def _files(place: Place) -> list[tuple[Path, bool]]:
    own = place.config / ACCOUNT_FILE
    given = place.environ.get("CREDENTIALS_DIRECTORY", "")
    return (
        [(own, False)] if not given else [(own.__class__(given, ACCOUNT_FILE), True), (own, False)]
    )


class _AccountFile:
    """Reads one account file.

    Owns its name and its text, to say where in it something is wrong. `read` makes one and calls
    it once. Nothing that it says has a password in it.
    """

    def __init__(self, file: str, text: str) -> None:
        self._file = file
        self._text = text
        self._table: dict[str, Any] = {}

    def read(self, folder: Path, uid: int, *, kept_by_systemd: bool) -> MailAccount:
        """Return the account; `folder` is where a `password_file` without a path is."""
        self._table = self._parsed()
        for key in self._table:
            self._check_key(key)
        host = self._text_of("host")
        if not host:
            raise self._bad("", "has no host", 'write host = "smtp.example.org"')
        if not _is_host(host):
            hint = "without // before it, or a port behind it: write port = 465 on its own line"
            raise self._bad("host", f"{shortened(host)} is no name of a host", hint)
        tls = self._encryption()
        account = MailAccount(
            file=self._file,
            host=host,
            port=self._port(tls),
            tls=tls,
            user=self._text_of("user"),
            password=self._password(folder, uid, kept_by_systemd=kept_by_systemd),
            sender=self._address("from"),
            to=self._addresses("to"),
            domain=self._domain(),
            ca_file=self._authorities(folder),
        )
        self._check_login(account)
        return account

    def _parsed(self) -> dict[str, Any]:
        try:
            return tomllib.loads(self._text)
        except tomllib.TOMLDecodeError as error:
            found = _TOML_PLACE.search(str(error))
            last = self._text.count("\n") + 1
            line = f":{found[1] or last}" if found else ""
            why = _TOML_PLACE.sub("", str(error))
            raise NotSent(f"{self._file}{line}: is no TOML: {why}") from error

    def _check_key(self, key: str) -> None:
        if key not in _ACCOUNT_KEYS:
            near = did_you_mean(nearest(key, _ACCOUNT_KEYS))
            hint = near or f"there are {', '.join(sorted(_ACCOUNT_KEYS))}"
            raise self._bad(key, f"{shortened(key)} is no setting of an account", hint)
        if key in _TEXT_KEYS and not isinstance(self._table[key], str):
            raise self._bad(key, f"{key} is no text", "put its value in quotes")

    def _text_of(self, key: str) -> str:
        return str(self._table.get(key, ""))

    def _encryption(self) -> Encryption:
        """Return how the connection is encrypted; without a word, as is usual at its port."""
        given = self._table.get("tls")
        if given is None:
            is_465 = self._table.get("port", 465) == _PORTS[Encryption.TLS]
            return Encryption.TLS if is_465 else Encryption.STARTTLS
        if given not in list(Encryption):
            raise self._bad(
                "tls", f"tls is {shortened(given)}", 'write "tls", "starttls" or "none"'
            )
        return Encryption(given)

    def _port(self, tls: Encryption) -> int:
        port = self._table.get("port", _PORTS[tls])
        if not isinstance(port, int) or isinstance(port, bool) or not 0 < port < 65536:
            raise self._bad("port", "port is no number from 1 to 65535", "such as port = 587")
        return port

    def _password(self, folder: Path, uid: int, *, kept_by_systemd: bool) -> str:
        named = self._text_of("password_file")
        if not named:
            return self._text_of("password")
        if "password" in self._table:
            raise self._bad("password_file", "there is a password, too", "leave one of them out")
        try:
            text = private_file.read(folder / named, uid, kept_by_systemd=kept_by_systemd)
        except FileNotFoundError:
            raise self._bad("password_file", f"there is no {folder / named}", "") from None
        return text.partition("\n")[0].rstrip("\r")

    def _authorities(self, folder: Path) -> str:
        """Return the file of `ca_file`, "" for the system's."""
        named = self._text_of("ca_file")
        if not named:
            return ""
        file = folder / named
        if not file.is_file() or not os.access(file, os.R_OK):
            why = "can't be read" if file.is_file() else "is no file"
            raise self._bad("ca_file", f"{file} {why}", "name a file of certificates in PEM")
        return str(file)

    def _address(self, key: str) -> str:
        text = self._text_of(key)
        try:
            return mail_variables.sender(text, {}) if text else ""
        except BadValue as bad:
            raise self._bad(key, bad.message, bad.hint) from bad

    def _addresses(self, key: str) -> str:
        for bad in mail_variables.addresses(self._text_of(key), {}).bad:
            raise self._bad(key, bad.message, bad.hint)
        return self._text_of(key)

    def _domain(self) -> str:
        domain = self._text_of("domain")
        if domain and not mail_variables.addresses(f"x@{domain}", {}).good:
            raise self._bad("domain", f"{shortened(domain)} is no domain", "such as example.org")
        return domain

    def _check_login(self, account: MailAccount) -> None:
        if bool(account.user) != bool(account.password):
            missing = "password" if account.user else "user"
            raise self._bad("user" if account.user else "password", f"there is no {missing}", "")
        if account.password and not (account.user + account.password).isascii():
            why = "user and password have letters beyond ASCII, which no login of ours can send"
            raise self._bad("user", why, "set one of ASCII letters")
        is_clear = account.tls is Encryption.NONE and not is_loopback(account.host)
        if account.password and is_clear:
            why = "a password would go over the network in clear"
            raise self._bad("tls", why, 'write tls = "tls" or "starttls"')

    def _bad(self, key: str, why: str, hint: str) -> NotSent:
        found = re.search(
            rf"""^[ \t]*["']?{re.escape(key)}["']?[ \t]*=""", self._text, re.MULTILINE
        )
        line = f":{self._text[: found.start()].count(chr(10)) + 1}" if key and found else ""
        return NotSent(f"{self._file}{line}: {why}" + (f"; {hint}" if hint else ""))
