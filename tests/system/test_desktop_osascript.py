"""What osascript is asked for on a Mac, by whom, and what becomes of one that fails or hangs."""

from __future__ import annotations

import os
from typing import TYPE_CHECKING

import pytest
from notification_words import HOSTILE, NOWHERE

from scheduler.errors import NotifyError
from scheduler.system import desktop
from scheduler.system.desktop_osascript import OSASCRIPT
from scheduler.system.desktop_session import Desktop
from scheduler.system.notification import Notification

if TYPE_CHECKING:
    from pathlib import Path

    from mac_programs import Mac

RECORD = """printf '%s\\0' "$@" > "$DIR/argv" """
ME = 501


def shown(environ: dict[str, str], title: str, text: str = "", timeout: float = 10.0) -> str:
    there = Desktop(environ, "darwin", uid=ME, terminal=NOWHERE)
    return desktop.show(Notification(title, text), there, timeout=timeout).way


@pytest.mark.parametrize(("words", "why"), HOSTILE, ids=[row[1] for row in HOSTILE])
def test_osascript_gets_title_and_text_as_arguments_unchanged(
    words: str, why: str, mac: Mac, tmp_path: Path
) -> None:
    environ = mac(RECORD)
    assert shown(environ, words, words) == "osascript"
    argv = (tmp_path / "argv").read_bytes().decode().split("\0")[:-1]
    assert argv == [*OSASCRIPT, words, words], why


def test_the_script_is_fixed_and_ends_its_own_options() -> None:
    assert OSASCRIPT[-1] == "--"
    assert [word for word in OSASCRIPT[::2] if word != "--"] == ["-e", "-e", "-e"]


@pytest.mark.parametrize(
    ("shell", "complaint"),
    [
        ("echo 'not allowed' >&2; exit 3", r"osascript ended with 3 \(not allowed\)"),
        ("exit 3", r"osascript ended with 3;"),
        ("kill -9 $$", r"osascript ended with -9"),
    ],
)
def test_what_osascript_said_is_in_the_error(shell: str, complaint: str, mac: Mac) -> None:
    with pytest.raises(NotifyError, match=complaint):
        shown(mac(shell), "Title")


def test_an_osascript_that_cannot_be_started_is_said(mac: Mac, tmp_path: Path) -> None:
    environ = mac("")
    (tmp_path / "bin" / "osascript").write_text("#!/nonexistent/interpreter\n")
    with pytest.raises(NotifyError, match="could not be started"):
        shown(environ, "Title")


def test_a_mac_without_osascript_on_its_path_is_said() -> None:
    with pytest.raises(NotifyError, match=r"osascript is not on PATH.*no terminal"):
        shown({"PATH": "/nonexistent"}, "Title")


@pytest.mark.slow
def test_a_hanging_osascript_is_killed_with_all_it_started(mac: Mac, tmp_path: Path) -> None:
    os.mkfifo(tmp_path / "alive")
    alive = os.open(tmp_path / "alive", os.O_RDONLY | os.O_NONBLOCK)
    environ = mac('exec 3> "$DIR/alive"; echo up >&3; sleep 600 & wait')
    with pytest.raises(NotifyError, match=r"osascript did not end within 0.8 s"):
        shown(environ, "Title", timeout=1)
    os.set_blocking(alive, True)
    with os.fdopen(alive) as pipe:  # its end comes when the last process that holds it has ended
        assert pipe.read() == "up\n"


# --- as root: in the session of whoever is at the screen -------------------------------------


def roots(environ: dict[str, str], devices: Path) -> Desktop:
    return Desktop(environ, "darwin", uid=0, terminal=NOWHERE, devices=devices)


@pytest.mark.privileged
def test_root_runs_it_in_the_session_of_the_user_at_the_screen(mac: Mac, tmp_path: Path) -> None:
    # Each stand-in records its words and runs the rest, as the real one does.
    environ = mac(
        RECORD,
        launchctl='echo "$1 $2" >> "$DIR/as"; shift 2; exec "$@"',
        sudo='echo "$1 $2 $3 $4" >> "$DIR/as"; shift 4; exec "$@"',
    )
    (tmp_path / "console").touch()
    os.chown(tmp_path / "console", ME, -1)
    assert desktop.show(Notification("Title", "-e"), roots(environ, tmp_path)).way == "osascript"
    assert (tmp_path / "as").read_text() == f"asuser {ME}\n-n -u #{ME} --\n"
    argv = (tmp_path / "argv").read_bytes().decode().split("\0")[:-1]
    assert argv == [*OSASCRIPT, "Title", "-e"]


@pytest.mark.privileged
@pytest.mark.parametrize(
    ("others", "owner", "complaint", "why"),
    [
        ({"launchctl": "", "sudo": ""}, 0, "nobody is logged in at the screen", "the login window is root's"),
        ({"launchctl": "", "sudo": ""}, None, "can't see who is at the screen", "there is no console"),
        ({"sudo": ""}, ME, "launchctl is not on PATH", "nothing can enter that session"),
        ({"launchctl": "echo 'no such user' >&2; exit 125", "sudo": ""}, ME, "125 .no such user.", "the user has just logged out"),
    ],
)  # fmt: skip
def test_root_is_refused_where_nobody_would_see_it(
    others: dict[str, str],
    owner: int | None,
    complaint: str,
    why: str,
    mac: Mac,
    tmp_path: Path,
) -> None:
    environ = mac("exit 0", **others)
    environ["PATH"] = str(tmp_path / "bin") + ":/bin" * ("launchctl" in others)
    if owner is not None:
        (tmp_path / "console").touch()
        os.chown(tmp_path / "console", owner, -1)
    with pytest.raises(NotifyError, match=complaint):
        desktop.show(Notification("Title", why), roots(environ, tmp_path))
