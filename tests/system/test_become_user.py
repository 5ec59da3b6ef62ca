"""A process of root's that becomes a user has all of that user's rights, and no other ever again."""

from __future__ import annotations

import subprocess
import sys

import pytest
from users import OTHER, OWNER

pytestmark = pytest.mark.privileged

PROGRAM = """
import os, sys
from scheduler.errors import MeridianError
from scheduler.system.accounts import Account
from scheduler.system.become_user import become
become(Account("bob", {uid}, {uid}, ({uid}, 60199), "/"))
print(os.getresuid(), os.getresgid(), sorted(os.getgroups()), oct(os.umask(0)))
print([line for line in open("/proc/self/status") if line.startswith(("CapPrm", "CapEff"))])
for uid in (0, {other}):
    try:
        become(Account("eve", uid, uid, (uid,), "/"))
    except MeridianError as error:
        print(error)
"""


def test_who_becomes_a_user_can_become_nobody_else() -> None:
    program = PROGRAM.format(uid=OWNER, other=OTHER)
    done = subprocess.run((sys.executable, "-c", program), capture_output=True, text=True, check=True)  # fmt: skip
    ids, capabilities, *refused = done.stdout.splitlines()
    three = f"({OWNER}, {OWNER}, {OWNER})"
    assert ids == f"{three} {three} [{OWNER}, 60199] 0o22"
    assert capabilities.count("0000000000000000") == 2
    assert refused == ["can't become user eve: Operation not permitted"] * 2
