"""Variables of another user, as su keeps them: every command still finds its own daemon."""

from __future__ import annotations

import os
import subprocess
import sys
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING

import pytest
from users import CAN_READ, OTHER, OWNER, as_user, new_folder, until

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping

pytestmark = [pytest.mark.e2e, pytest.mark.privileged]

ROOT = Path(__file__).parent.parent.parent
CRONTAB = "CRON_NAME=job 0 0 1 1 * true\n"
SHARED = Path(f"/tmp/runtime-{OWNER}")  # what platformdirs makes of a bad XDG_RUNTIME_DIR


@pytest.fixture
def home() -> Iterator[Path]:
    """The home of OWNER, with runtime folders of all kinds beside."""
    with new_folder() as folder:
        for name, uid, mode in (
            ("good", OWNER, 0o700),
            ("theirs", OTHER, 0o700),
            ("open", OWNER, 0o755),
            (".config/meridian", OWNER, 0o755),
        ):
            (folder / name).mkdir(parents=True)
            (folder / name).chmod(mode)
            os.chown(folder / name, uid, uid)
        os.chown(folder / ".config", OWNER, OWNER)
        crontab = folder / ".config/meridian/crontab"
        crontab.write_text(CRONTAB)
        crontab.chmod(0o600)
        os.chown(crontab, OWNER, OWNER)
        yield folder


# What XDG_RUNTIME_DIR is; None: it is not set.
KINDS = ("{}/good", None, "{}/theirs", "{}/open", "good")


def environ(home: Path, runtime: str | None, **more: str) -> dict[str, str]:
    names = {"PATH": os.environ["PATH"], "HOME": str(home), "EDITOR": "true", "TZ": "UTC", **more}
    return names if runtime is None else names | {"XDG_RUNTIME_DIR": runtime.format(home)}


def command(*words: str) -> tuple[str, ...]:
    return as_user(OWNER, *CAN_READ, sys.executable, "-m", "scheduler", *words)


def typed(home: Path, env: Mapping[str, str], *words: str) -> subprocess.CompletedProcess[str]:
    """What a command of OWNER says, typed in a home whose folders have relative names, too."""
    return subprocess.run(
        command(*words),
        env={**env, "PYTHONPATH": str(ROOT), "PYTHONSAFEPATH": "1"},
        cwd=home,
        capture_output=True,
        text=True,
        check=False,
    )


@contextmanager
def daemon(home: Path, env: Mapping[str, str]) -> Iterator[subprocess.Popen[bytes]]:
    log = home / "log"
    with log.open("wb") as stream:
        process = subprocess.Popen(command("run"), env=env, cwd=ROOT, stderr=stream)
        try:
            until(lambda: "crontabs" in log.read_text())
            assert "Traceback" not in log.read_text()
            yield process
        finally:
            process.terminate()
            process.wait(timeout=60)


@pytest.mark.parametrize("kind", KINDS[:3])
def test_every_command_finds_a_daemon_that_was_started_with_another_runtime_folder(
    home: Path, kind: str | None
) -> None:
    with daemon(home, environ(home, kind)) as process:
        for other in KINDS:
            told = typed(home, environ(home, other), "status", "--json")
            assert (told.returncode, told.stderr) == (0, ""), other
            assert f'"pid": {process.pid},' in told.stdout
        sockets = [each for each in home.rglob("control.sock") if not each.is_symlink()]
        place = "good" if kind == "{}/good" else ".local/state"
        assert sockets == [home / place / "meridian/control.sock"]
    assert list(home.rglob("control.sock")) == []
    assert not SHARED.exists()


def test_no_command_minds_a_runtime_folder_that_is_not_ones_own(home: Path) -> None:
    crontab = str(home / ".config/meridian/crontab")
    asked: list[tuple[str, ...]] = [
        *(("check",), ("list",), ("next",), ("edit",), ("history",), ("audit",), ("reload",)),
        *(("install", crontab), ("why", "job"), ("trigger", "job"), ("logs", "job")),
        *(("pause", "job"), ("resume", "job"), ("history", "job"), ("status", "--check")),
        ("remove", "--yes"),
    ]
    with daemon(home, environ(home, None)):
        for words in asked:
            told = typed(home, environ(home, "{}/theirs"), *words)
            assert told.returncode == 0, (words, told.stdout, told.stderr)
            assert "Traceback" not in told.stderr
    assert not SHARED.exists()


@pytest.mark.parametrize(
    ("name", "words", "remedy"),
    [
        ("XDG_STATE_HOME", ("run",), "unset it, or name a folder with --state"),
        ("XDG_STATE_HOME", ("status",), "unset it, or name a folder with --state"),
        ("XDG_STATE_HOME", ("history",), "unset it, or name a folder with --state"),
        ("XDG_CONFIG_HOME", ("run",), "unset it"),
        ("XDG_CONFIG_HOME", ("edit",), "unset it"),
        ("XDG_CONFIG_HOME", ("check",), "unset it"),
        ("XDG_CONFIG_HOME", ("install", "crontab"), "unset it"),
        ("HOME", ("run",), "set it to your own, or name a folder with --state"),
    ],
)
def test_a_folder_of_another_user_is_told_with_its_variable(
    home: Path, name: str, words: tuple[str, ...], remedy: str
) -> None:
    theirs = home / "theirs"
    told = typed(home, environ(home, None) | {name: str(theirs)}, *words)
    why = f"{name} is {theirs}, but {theirs}"
    assert told.returncode == 1
    last = told.stderr.splitlines()[-1]
    assert last.startswith(why), told.stderr
    assert last.endswith(remedy)
    assert (told.stdout, told.stderr.count("Traceback")) == ("", 0)


def test_a_folder_that_is_named_needs_no_variable(home: Path) -> None:
    env = environ(home, None) | dict.fromkeys(("XDG_STATE_HOME", "XDG_CONFIG_HOME"), "/root")
    told = typed(home, env, "history", "--state", str(home / "state"))
    assert told.stderr.startswith("nothing has run yet"), told.stderr
    told = typed(home, env, "check", ".config/meridian/crontab")
    assert (told.returncode, told.stderr) == (0, "")
