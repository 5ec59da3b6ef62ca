"""make install and its undoing: what a newcomer reads, and what is there afterwards.

Python stands in for itself: what pip does is pip's own, and takes a network.
"""

from __future__ import annotations

import os
import shutil
import subprocess
from pathlib import Path

import pytest
from programs import program

ROOT = Path(__file__).parent.parent.parent

# Makes an environment, and puts itself and a command in it, as venv and pip do; -c asks what it has.
PYTHON = """#!/bin/sh
case "$*" in
  *ensurepip*) test ! -e "$(dirname "$0")/no-venv" ;;
  *version_info*) test ! -e "$(dirname "$0")/old" ;;
  "-m venv "*) mkdir -p "$3/bin" && cp "$0" "$3/bin/python" ;;
  *" .") printf '#!/bin/sh\\n' >"$(dirname "$0")/meridian" && chmod +x "$(dirname "$0")/meridian" ;;
esac
"""


@pytest.fixture
def python(tmp_path: Path) -> Path:
    folder = tmp_path / "python"
    folder.mkdir()
    path = folder / "python3"
    path.write_text(PYTHON)
    path.chmod(0o755)
    return path


def make(
    target: str,
    prefix: Path,
    python: Path,
    *,
    path: str = "",
    shell: str = "/bin/bash",
    extras: str = "",
) -> subprocess.CompletedProcess[str]:
    """Run a target with its own PREFIX, as a user of this shell with this in front of PATH."""
    return subprocess.run(
        [program("make"), "-s", target, f"PREFIX={prefix}", f"PYTHON={python}", f"EXTRAS={extras}"],
        cwd=ROOT,
        env={"PATH": f"{path}:{os.environ['PATH']}", "SHELL": shell, "HOME": str(prefix)},
        capture_output=True,
        text=True,
        check=False,
    )


@pytest.mark.parametrize(
    ("shell", "file"),
    [("/bin/bash", ".bashrc"), ("/usr/bin/zsh", ".zshrc"), ("/bin/sh", ".profile")],
)
def test_install_says_what_to_do_when_its_folder_is_not_on_the_path(
    tmp_path: Path, python: Path, shell: str, file: str
) -> None:
    done = make("install", tmp_path / "p", python, shell=shell)
    assert (done.returncode, done.stderr) == (0, "")
    folder = tmp_path / "p" / "bin"
    *_, said, line = done.stdout.splitlines()
    assert said == f"{folder} is not on your PATH. Put it there, and open a new terminal:"
    assert line == f"""  echo 'export PATH="{folder}:$PATH"' >> ~/{file}"""
    subprocess.run(["/bin/sh", "-c", line], env={"HOME": str(tmp_path)}, check=True)
    told = f'. "$HOME/{file}"; command -v meridian'
    found = subprocess.run(["/bin/sh", "-c", told], env={"HOME": str(tmp_path), "PATH": os.defpath}, capture_output=True, text=True, check=True)  # fmt: skip
    assert found.stdout.strip() == str(folder / "meridian")


def test_whatever_the_umask_nobody_else_can_write_what_install_made(
    tmp_path: Path, python: Path
) -> None:
    """Else anybody puts a program into ~/.local/bin, which is on the PATH."""
    mask = os.umask(0)
    try:
        done = make("install", tmp_path / "home/.local", python)
    finally:
        os.umask(mask)
    assert done.returncode == 0
    made = [path for path in (tmp_path / "home").rglob("*") if not path.is_symlink()]
    assert {tmp_path / "home/.local/bin", tmp_path / "home/.local/share"} < set(made)
    assert [path for path in made if path.stat().st_mode & 0o022] == []


def test_install_has_no_more_to_say_when_its_folder_is_on_the_path(
    tmp_path: Path, python: Path
) -> None:
    done = make("install", tmp_path / "p", python, path=str(tmp_path / "p" / "bin"))
    assert done.stdout.splitlines()[-1] == f"Installed {tmp_path}/p/bin/meridian"


@pytest.mark.parametrize(
    ("lack", "said"),
    [
        ("old", "Meridian needs Python 3.11 or newer; say which with: make PYTHON=python3.12"),
        ("no-venv", "Python's venv is missing. On Debian and Ubuntu: sudo apt install python3-venv"),
    ],
)  # fmt: skip
def test_what_python_lacks_is_said_before_anything_is_made(
    tmp_path: Path, python: Path, lack: str, said: str
) -> None:
    (python.parent / lack).touch()
    done = make("install", tmp_path / "p", python)
    assert done.returncode != 0
    assert done.stdout.splitlines()[0] == said
    assert not (tmp_path / "p").exists()


def test_uninstall_takes_away_what_install_made_and_nothing_else(
    tmp_path: Path, python: Path
) -> None:
    prefix = tmp_path / "p"
    make("install", prefix, python)
    state = prefix / ".local" / "state" / "meridian"
    state.mkdir(parents=True)
    done = make("uninstall", prefix, python)
    said = f"Uninstalled {prefix}/bin/meridian; crontabs, runs and their output stay.\n"
    assert (done.returncode, done.stdout, done.stderr) == (0, said, "")
    assert sorted(map(str, prefix.rglob("*meridian*"))) == [str(state)]
    assert make("uninstall", prefix, python).stdout == f"Nothing is installed in {prefix}\n"


def test_uninstall_leaves_a_command_of_somebody_else(tmp_path: Path, python: Path) -> None:
    prefix = tmp_path / "p"
    make("install", prefix, python)
    (prefix / "bin" / "meridian").unlink()
    shutil.copy(python, prefix / "bin" / "meridian")
    make("uninstall", prefix, python)
    assert (prefix / "bin" / "meridian").exists()


@pytest.mark.parametrize("parted", ["alerts,calendar", "alerts calendar", "alerts, calendar", ""])
def test_extras_may_have_commas_or_blanks_between_them(
    tmp_path: Path, python: Path, parted: str
) -> None:
    done = make("install", tmp_path / "p", python, extras=parted)
    assert done.returncode == 0, done.stdout + done.stderr
    wrong = make("install", tmp_path / "p", python, extras=f"{parted},nosuch")
    assert wrong.returncode != 0
    assert "There is no extra nosuch; there are: alerts calendar" in wrong.stdout
