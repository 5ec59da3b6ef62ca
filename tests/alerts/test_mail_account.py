"""The account file: what it may say, and who may read it."""

from __future__ import annotations

import os
from typing import TYPE_CHECKING

import pytest

from scheduler.alerts import mail_account
from scheduler.alerts.channel import NotSent, Place
from scheduler.alerts.mail_account import Encryption, MailAccount

if TYPE_CHECKING:
    from pathlib import Path


@pytest.fixture
def place(tmp_path: Path) -> Place:
    config = tmp_path / "config"
    config.mkdir(mode=0o700)
    return Place(state=tmp_path, config=config, environ={})


def write(folder: Path, text: str, name: str = "mail.toml", mode: int = 0o600) -> Path:
    file = folder / name
    file.write_text(text)
    file.chmod(mode)
    return file


def read(place: Place, text: str) -> MailAccount:
    write(place.config, text)
    account = mail_account.read(place)
    assert account is not None
    return account


def test_without_a_file_there_is_no_account(place: Place) -> None:
    assert mail_account.read(place) is None


@pytest.mark.parametrize(
    ("text", "port", "tls", "why"),
    [
        ("", 465, Encryption.TLS, "RFC 8314: TLS from the first byte"),
        ("port = 465", 465, Encryption.TLS, "the same"),
        ("port = 587", 587, Encryption.STARTTLS, "the port for STARTTLS"),
        ("port = 25", 25, Encryption.STARTTLS, "never in clear without a word"),
        ('tls = "starttls"', 587, Encryption.STARTTLS, "its usual port"),
        ('tls = "none"', 25, Encryption.NONE, "a relay"),
        ('tls = "tls"\nport = 2465', 2465, Encryption.TLS, "both"),
    ],
)
def test_port_and_encryption_by_each_other(
    text: str, port: int, tls: Encryption, why: str, place: Place
) -> None:
    account = read(place, f'host = "smtp.example.org"\n{text}')
    assert (account.port, account.tls) == (port, tls), why


def test_a_whole_account(place: Place) -> None:
    write(place.config, "s3cret\nand a note\n", "password")
    write(place.config, "", "ca.pem")
    account = read(
        place,
        'host = "smtp.example.org"\nuser = "ada"\npassword_file = "password"\n'
        'from = "cron@example.org"\nto = "me@example.org, you@example.org"\n'
        'domain = "example.org"\nca_file = "ca.pem"\n',
    )
    assert (account.user, account.password, account.sender) == ("ada", "s3cret", "cron@example.org")
    assert (account.to, account.domain) == ("me@example.org, you@example.org", "example.org")
    assert account.ca_file == str(place.config / "ca.pem")


@pytest.mark.parametrize("host", ["::1", "fe80::1", "127.0.0.1", "mx-1.example.org"])
def test_a_host_is_a_name_or_an_address(host: str, place: Place) -> None:
    assert read(place, f'host = "{host}"\n').host == host


def test_no_text_of_an_account_shows_its_password(place: Place) -> None:
    account = read(place, 'host = "h"\nuser = "ada"\npassword = "s3cret"\n')
    assert account.password == "s3cret"
    assert "s3cret" not in f"{account!r}{account}"


HOST = 'host = "h"\n'


@pytest.mark.parametrize(
    ("text", "line", "said"),
    [
        ("", "", "has no host"),
        ('host = "smtp.example.org:465"\nport = ', ":2", "is no TOML"),
        (
            'host = "h"\nhosts = "h"',
            ":2",
            "'hosts' is no setting of an account; did you mean host?",
        ),
        ('host = "https://h"', ":1", "is no name of a host"),
        (
            'host = "smtp.example.org:465"',
            ":1",
            "is no name of a host; without // before it, or a port",
        ),
        ('host = "[::1]"', ":1", "is no name of a host"),
        (f'{HOST}ca_file = "/nope"', ":2", "/nope is no file; name a file of certificates in PEM"),
        (f'{HOST}ca_file = "/tmp"', ":2", "/tmp is no file"),
        (
            f'{HOST}from = "Ada <ada@b>"',
            ":2",
            "leave one address, without a name beside it",
        ),
        (f"{HOST}port = 0", ":2", "port is no number from 1 to 65535"),
        (f'{HOST}port = "587"', ":2", "port is no number"),
        (f"{HOST}port = true", ":2", "port is no number"),
        (f'{HOST}tls = "yes"', ":2", "tls is 'yes'; write \"tls\""),
        (f"{HOST}user = 7", ":2", "user is no text; put its value in quotes"),
        (f"{HOST}[account]\nuser = 'a'", "", "'account' is no setting"),
        (f'{HOST}user = "ada"', ":2", "there is no password"),
        (f'{HOST}password = "s3cret"', ":2", "there is no user"),
        (
            f'{HOST}user = "a"\npassword = "s3cret"\npassword_file = "p"',
            ":4",
            "there is a password, too",
        ),
        (f'{HOST}user = "a"\npassword_file = "none"', ":3", "there is no"),
        (f'{HOST}user = "a"\npassword = "s3cr\u00e9t"', ":2", "letters beyond ASCII"),
        (f'{HOST}to = "a b"', ":2", "is no address"),
        (f'{HOST}domain = "a b"', ":2", "is no domain"),
        (
            'host = "mx.example.org"\nuser = "a"\npassword = "s3cret"\ntls = "none"',
            ":4",
            "over the network in clear",
        ),
    ],
)
def test_what_is_wrong_is_told_with_its_line_and_without_the_password(
    text: str, line: str, said: str, place: Place
) -> None:
    file = write(place.config, text)
    with pytest.raises(NotSent) as raised:
        mail_account.read(place)
    assert str(raised.value).startswith(f"{file}{line}: ")
    assert said in str(raised.value)
    assert "s3cr" not in str(raised.value)
    assert not raised.value.permanent, "it may be mended while the mail waits"


@pytest.mark.parametrize("host", ["localhost", "127.0.0.1", "::1", "127.8.8.8"])
def test_a_password_may_go_in_clear_on_this_machine_alone(host: str, place: Place) -> None:
    account = read(place, f'host = "{host}"\nuser = "a"\npassword = "b"\ntls = "none"')
    assert account.password == "b"


@pytest.mark.parametrize("mode", [0o640, 0o604, 0o660, 0o644])
@pytest.mark.parametrize("which", ["mail.toml", "password"])
def test_a_file_that_others_can_read_is_refused_by_name(
    which: str, mode: int, place: Place
) -> None:
    write(place.config, f'{HOST}user = "a"\npassword_file = "password"')
    write(place.config, "s3cret", "password")
    file = place.config / which
    file.chmod(mode)
    with pytest.raises(NotSent) as raised:
        mail_account.read(place)
    assert str(raised.value).startswith(f"{file}: others can read it")
    assert f"chmod 600 {file}" in str(raised.value)


def test_a_folder_that_others_can_write_is_refused(place: Place) -> None:
    write(place.config, HOST)
    place.config.chmod(0o777)
    with pytest.raises(NotSent, match="everybody can write it"):
        mail_account.read(place)


@pytest.mark.skipif(os.getuid() != 0, reason="root alone can give a file away")
def test_another_users_file_is_refused(place: Place) -> None:
    os.chown(write(place.config, HOST), 1234, 1234)
    with pytest.raises(NotSent, match="belongs to user 1234"):
        mail_account.read(place)


def test_what_is_no_file_is_refused(place: Place) -> None:
    os.mkfifo(place.config / "mail.toml", 0o600)
    with pytest.raises(NotSent, match="FIFO"):
        mail_account.read(place)


def test_a_file_without_end_is_refused(place: Place) -> None:
    write(place.config, "#" * 70_000)
    with pytest.raises(NotSent, match="is longer than"):
        mail_account.read(place)


def test_bytes_that_are_no_utf_8_are_told_with_their_line(place: Place) -> None:
    file = write(place.config, "")
    file.write_bytes(b'host = "h"\nuser = "\xe9"\n')
    with pytest.raises(NotSent, match=r"mail.toml:2: is not written in UTF-8"):
        mail_account.read(place)


def test_credentials_of_systemd_come_first_whatever_their_mode(
    tmp_path: Path, place: Place
) -> None:
    given = tmp_path / "credentials"
    given.mkdir(mode=0o700)
    write(given, 'host = "given"\nuser = "a"\npassword_file = "mail.password"', mode=0o440)
    write(given, "s3cret\n", "mail.password", mode=0o440)
    write(place.config, 'host = "own"')
    with_them = Place(place.state, place.config, {"CREDENTIALS_DIRECTORY": str(given)})
    found = mail_account.read(with_them)
    assert found is not None
    assert (found.host, found.password) == ("given", "s3cret")
    (given / "mail.toml").unlink()
    other = mail_account.read(with_them)
    assert other is not None
    assert other.host == "own"
