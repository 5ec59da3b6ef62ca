"""cron.allow and cron.deny say who may have a crontab, as crontab(1) has it."""

from __future__ import annotations

import os
from typing import TYPE_CHECKING

import pytest

from scheduler.system import cron_access

if TYPE_CHECKING:
    from pathlib import Path


@pytest.mark.parametrize(
    ("allow", "deny", "may"),
    [
        pytest.param(None, None, True, id="neither: everybody, as on Debian"),
        pytest.param("alice\nbob\n", None, True, id="allowed"),
        pytest.param("bob\n", None, False, id="not among the allowed"),
        pytest.param("", None, False, id="nobody is allowed"),
        pytest.param(None, "bob\n", True, id="not denied"),
        pytest.param(None, "alice\n", False, id="denied"),
        pytest.param(None, "", True, id="nobody is denied"),
        pytest.param("alice\n", "alice\n", True, id="cron.allow alone counts where there is one"),
        pytest.param("bob\n", "", False, id="so it does where cron.deny would let all"),
        pytest.param(None, "alice", False, id="a last line without a newline, which Debian misses"),
        pytest.param(
            None, "  alice \r\n", False, id="blanks around it, which Debian takes for another"
        ),
        pytest.param("# alice\n", None, False, id="a comment allows nobody"),
        pytest.param("alice2\nmalice\n", None, False, id="a part of a name is another name"),
        pytest.param("ALICE\n", None, False, id="so are other letters"),
        pytest.param("\xe4\nalice\n", None, True, id="letters of any kind"),
    ],
)
def test_who_may_have_a_crontab(
    tmp_path: Path, allow: str | None, deny: str | None, may: bool
) -> None:
    (tmp_path / "etc").mkdir()
    for name, text in (("cron.allow", allow), ("cron.deny", deny)):
        if text is not None:
            (tmp_path / "etc" / name).write_bytes(text.encode("latin-1"))
            (tmp_path / "etc" / name).chmod(0o644)
    assert (cron_access.refusal("alice", tmp_path, os.geteuid()) == "") is may


@pytest.mark.parametrize("name", ["cron.allow", "cron.deny"])
def test_a_file_that_cannot_be_trusted_lets_nobody(tmp_path: Path, name: str) -> None:
    (tmp_path / "etc").mkdir()
    file = tmp_path / "etc" / name
    file.symlink_to(tmp_path / "nothing")
    assert "leads nowhere" in cron_access.refusal("alice", tmp_path, os.geteuid())
    file.unlink()
    file.mkdir()
    assert "it is a folder" in cron_access.refusal("alice", tmp_path, os.geteuid())
    file.rmdir()
    file.write_text("alice\nbob\n")
    file.chmod(0o666)
    assert "everybody can write it" in cron_access.refusal("alice", tmp_path, os.geteuid())
