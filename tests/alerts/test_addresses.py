"""Files of addresses: what is in them, whose they are, and what is said of a bad one."""

from __future__ import annotations

import os
from typing import TYPE_CHECKING

import pytest

from scheduler.alerts.addresses import MOST_ADDRESSES, addresses_of
from scheduler.alerts.channel import NotSent

if TYPE_CHECKING:
    from pathlib import Path


def has(config: Path, text: str | bytes, name: str = "team", mode: int = 0o600) -> Path:
    """Let a file of addresses say this."""
    path = config / "alerts" / name
    path.parent.mkdir(exist_ok=True)
    path.write_bytes(text.encode() if isinstance(text, str) else text)
    path.chmod(mode)
    return path


def refused(config: Path, target: str = "@team") -> str:
    with pytest.raises(NotSent) as caught:
        addresses_of(target, config)
    assert caught.value.permanent
    assert "s3cret" not in str(caught.value)
    return str(caught.value)


def test_a_target_that_names_no_file_is_its_own_address(tmp_path: Path) -> None:
    assert addresses_of("slack://a/b/c", tmp_path) == ["slack://a/b/c"]


def test_an_address_a_line_comments_and_blank_lines_between(tmp_path: Path) -> None:
    text = "# on call\n\n  slack://T/B/C/#ops \r\ndesktop\nmail\nmail:ops@example.org\n"
    has(tmp_path, text + "| /usr/bin/tell, loud\nntfy://x\nntfy://x\n")
    assert addresses_of("@team", tmp_path) == [
        "slack://T/B/C/#ops",
        "desktop",
        "mail",
        "mail:ops@example.org",
        "|/usr/bin/tell, loud",
        "ntfy://x",  # once
    ]


@pytest.mark.parametrize(
    "line",
    [
        "@other",  # files name no files
        "ops@example.org s3cret",
        "https://a s3cret",
        "mail: s3cret",
        "|",
        "s3cret",
        "://s3cret",
        "slack://a\x1b[31ms3cret",
        "none",
    ],
)
def test_a_line_that_is_no_address_is_named_and_not_shown(tmp_path: Path, line: str) -> None:
    file = has(tmp_path, f"desktop\n{line}\n")
    assert refused(tmp_path).startswith(f"{file}: line 2 is no address; one is desktop, mail,")


@pytest.mark.parametrize(
    "name", ["@../crontab", "@a/b", "@", "@.hidden", "@..", "@a\x00", "@" + "a" * 101, "@-x"]
)
def test_a_name_leads_nowhere_else(tmp_path: Path, name: str) -> None:
    assert "is no name of a file of addresses" in refused(tmp_path, name)


@pytest.mark.parametrize(
    ("text", "why"),
    [
        ("", "there is no address in it"),
        ("# nothing\n", "there is no address in it"),
        (b"#\n\xff\xfe", "team:2: is not written in UTF-8"),
        (
            "".join(f"ntfy://s3cret{n}\n" for n in range(MOST_ADDRESSES + 1)),
            "more than 20 addresses",
        ),
        ("#" * 70_000, "is longer than 65536 bytes"),
    ],
)
def test_what_makes_no_sense_is_refused(tmp_path: Path, text: str | bytes, why: str) -> None:
    has(tmp_path, text)
    assert why in refused(tmp_path)


@pytest.mark.parametrize("mode", [0o640, 0o604, 0o660, 0o602])
def test_a_file_that_others_can_read_is_refused(tmp_path: Path, mode: int) -> None:
    file = has(tmp_path, "ntfy://s3cret\n", mode=mode)
    assert f"chmod 600 {file}" in refused(tmp_path)
    file.chmod(0o400)
    assert addresses_of("@team", tmp_path) == ["ntfy://s3cret"]


def test_a_file_that_is_not_there_says_what_to_write(tmp_path: Path) -> None:
    assert refused(tmp_path).startswith(f"{tmp_path}/alerts/team: there is no such file; write an")


def test_what_is_no_file_is_refused(tmp_path: Path) -> None:
    (tmp_path / "alerts" / "team").mkdir(parents=True)
    assert "it is a folder" in refused(tmp_path)
    os.mkfifo(tmp_path / "alerts" / "pipe", 0o600)
    assert "it is a FIFO" in refused(tmp_path, "@pipe")


def test_a_link_of_ones_own_is_taken_and_none_that_others_can_change(tmp_path: Path) -> None:
    real = has(tmp_path, "ntfy://s3cret\n", name="real")
    (tmp_path / "alerts" / "team").symlink_to(real)
    assert addresses_of("@team", tmp_path) == ["ntfy://s3cret"]
    (tmp_path / "alerts").chmod(0o777)
    assert "everybody can write it" in refused(tmp_path)


@pytest.mark.privileged
def test_anothers_file_is_refused(tmp_path: Path) -> None:
    os.chown(has(tmp_path, "ntfy://s3cret\n"), 65534, 65534)
    assert "it belongs to user 65534" in refused(tmp_path)
