"""Users of the machine: who has an account, with which groups, and until when."""

from __future__ import annotations

import os
import pwd
import resource
from datetime import UTC, datetime
from typing import TYPE_CHECKING

import pytest

from scheduler.system import accounts

if TYPE_CHECKING:
    from pathlib import Path

NOON = datetime(2026, 3, 1, 12, tzinfo=UTC)
MARCH_1 = 20513  # days from 1970-01-01 to 2026-03-01


def test_an_account_is_the_one_that_the_system_tells() -> None:
    own = pwd.getpwuid(os.getuid())
    found = accounts.find(own.pw_name)
    assert found is not None
    assert (found.uid, found.gid, found.home) == (own.pw_uid, own.pw_gid, own.pw_dir)
    assert set(found.groups) == set(os.getgrouplist(own.pw_name, own.pw_gid))


@pytest.mark.parametrize("name", ["meridian-nobody-has-this", "", "a\0b", "a:b", "\udc00"])
def test_what_nobody_is_called_is_no_account(name: str) -> None:
    assert accounts.find(name) is None


def test_without_a_descriptor_to_look_with_nobody_is_taken_for_gone(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    def unknown(name: str) -> None:
        raise KeyError(name)  # as getpwnam has it then, unless its file is still open

    monkeypatch.setattr(pwd, "getpwnam", unknown)
    soft, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
    resource.setrlimit(resource.RLIMIT_NOFILE, (0, hard))
    try:
        for look in (accounts.find, accounts.uid_of):
            with pytest.raises(OSError, match="Too many open files"):
                look("root")
    finally:
        resource.setrlimit(resource.RLIMIT_NOFILE, (soft, hard))
    assert accounts.uid_of("root") is None


EXPIRIES = [
    ("", False, "never"),
    (f"{MARCH_1 + 1}", False, "it is valid until the end of the day before"),
    (f"{MARCH_1}", True, "as useradd -e has it: on that day it is over"),
    ("1", True, "chage -E 1"),
    ("0", True, "chage -E 0, by which accounts are locked: pam_unix refuses it"),
    ("soon", False, "a file that says nothing that can be read"),
]


@pytest.mark.parametrize(("field", "is_over", "why"), EXPIRIES)
def test_an_account_expires_as_pam_has_it(
    field: str, is_over: bool, why: str, tmp_path: Path
) -> None:
    name = pwd.getpwuid(os.getuid()).pw_name
    shadow = tmp_path / "shadow"
    shadow.write_text(f"x{name}:!:1:0:9:7::1:\n{name}:!:1:0:99999:7::{field}:\n")
    found = accounts.find(name, shadow)
    assert found is not None
    assert found.is_expired(NOON) == is_over, why


@pytest.mark.parametrize("text", ["", "other:!:1:0:9:7::1:\n", None])
def test_who_is_not_told_of_has_no_expiry(text: str | None, tmp_path: Path) -> None:
    name = pwd.getpwuid(os.getuid()).pw_name
    shadow = tmp_path / "shadow"
    if text is not None:
        shadow.write_text(text)
    found = accounts.find(name, shadow)
    assert found is not None
    assert found.expires is None
