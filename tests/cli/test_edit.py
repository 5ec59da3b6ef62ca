"""edit, install and remove: nothing wrong is saved, nothing written is lost."""

from __future__ import annotations

import grp
import os
import signal
import time
from pathlib import Path
from typing import TYPE_CHECKING, Any

import pytest
from standin import STATUS, StandIn

if TYPE_CHECKING:
    from collections.abc import Callable

    from conftest import Person

    Editor = Callable[[str], None]

OLD = "# my own words\n"


@pytest.fixture
def editor(person: Person, monkeypatch: pytest.MonkeyPatch) -> Editor:
    """Let $EDITOR be a shell script; the copy to edit is its $1."""

    def let_it(script: str) -> None:
        path = person.home / "an editor"  # a blank in its path is no harm when it is quoted
        path.write_text(f"#!/bin/sh\n{script}\n")
        path.chmod(0o700)
        monkeypatch.setenv("EDITOR", f"'{path}'")

    return let_it


def drafts(person: Person) -> list[Path]:
    return list(person.home.glob("meridian-*.crontab"))


def versions(person: Person) -> list[str]:
    return [path.read_text() for path in sorted((person.state / "versions").glob("*"))]


# --- edit ----------------------------------------------------------------------------------------


def test_no_text_is_edited_where_others_could_put_theirs_in_its_place(
    person: Person, editor: Editor, monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    """su keeps a TMPDIR that is another user's: without a sticky bit they may rename what is in it."""
    others = tmp_path / "others"
    others.mkdir()
    others.chmod(0o777)
    monkeypatch.setenv("TMPDIR", str(others))
    editor(f"echo '{person.line('0 1 * * *', 'x').strip()}' > \"$1\"")
    result = person.types("edit")
    assert result.exit_code == 1
    why = f"in {others}: {others}: everybody can write it; set TMPDIR to a folder of your own"
    assert why in " ".join(result.output.split())
    assert not person.crontab.exists()
    others.chmod(0o1777)
    assert person.types("edit").exit_code == 0


def test_a_good_edit_is_saved_the_old_text_kept_and_the_next_runs_said(
    person: Person, editor: Editor
) -> None:
    person.has(OLD)
    line = person.line("30 7 * * *", "report")
    editor(f"echo '{line.strip()}' >> \"$1\"")
    result = person.types("edit")
    assert result.exit_code == 0, result.output
    assert person.crontab.read_text() == OLD + line
    assert person.crontab.stat().st_mode & 0o777 == 0o600
    assert versions(person) == [OLD]
    assert "1 entry, no problems" in result.stdout
    assert result.stdout.count(" 07:30 Europe/Berlin  report") == 3
    assert result.stdout.endswith(f"N{person.nobody[1:]}.\n")
    assert drafts(person) == []


OTHERS = {"named": True, "system_format": False, "zone": "Europe/Berlin"}
OF_PATHS = OTHERS | {"named": False}
READERS = [
    # what the daemon says of what it reads, what is said of it, why
    ({"reads": OF_PATHS}, "reads it before the next minute.", "it reads what is at the user's paths"),
    ({"reads": OTHERS}, "does not read it: it was started with /etc/meridian/crontabs/crontab", "named"),
    ({"reads": None, "files": None}, "does not say whether it reads it.", "an older one"),
]  # fmt: skip


@pytest.mark.parametrize(("members", "said", "why"), READERS)
def test_whether_a_running_daemon_reads_it_is_asked(
    person: Person, members: dict[str, Any], said: str, why: str
) -> None:
    daemon = StandIn()
    daemon.status = STATUS | members
    file = person.file(person.line("30 7 * * *", "report"))
    with daemon.listening(person.home / "run" / "control.sock"):
        saved = person.types("install", file).stdout.splitlines()[-1]
        removed = person.types("remove", "--yes").stdout.splitlines()[-1]
    assert saved == f"The running daemon (pid 4242) {said}", why
    gone = said.replace("reads it before", "lets go of its jobs before")
    assert removed == f"The running daemon (pid 4242) {gone}", why


def test_the_first_edit_begins_with_words_of_help_that_are_a_crontab(
    person: Person, editor: Editor
) -> None:
    editor(f"echo '{person.line('0 9 * * *', 'x').strip()}' >> \"$1\"")
    assert person.types("edit").exit_code == 0
    text = person.crontab.read_text()
    assert text.startswith("# Minute, hour,")
    assert versions(person) == []
    example = next(line for line in text.splitlines() if "30 7 * * 1-5  " in line)
    person.has(f"{example.lstrip('# ')}\n")
    assert person.types("check").exit_code == 0


def test_the_copy_is_private_and_looks_like_a_crontab(person: Person, editor: Editor) -> None:
    editor(f"ls -l \"$1\" > '{person.home}/seen'")
    person.types("edit")
    seen = (person.home / "seen").read_text()
    assert seen.startswith("-rw-------")
    assert seen.strip().endswith(".crontab")


def test_visual_comes_before_editor_and_may_have_arguments(
    person: Person, editor: Editor, monkeypatch: pytest.MonkeyPatch
) -> None:
    editor("echo wrong > '$HOME/no'; exit 9")
    monkeypatch.setenv("VISUAL", f"sh -c 'touch \"{person.home}/visual\"' --")
    assert person.types("edit").exit_code == 0
    assert (person.home / "visual").exists()


@pytest.mark.parametrize("text", [OLD, None])
def test_an_edit_that_changes_nothing_saves_nothing(
    person: Person, editor: Editor, text: str | None
) -> None:
    if text is not None:
        person.has(text)
    editor("true")
    result = person.types("edit")
    assert "Nothing changed" in result.stdout
    assert result.exit_code == 0
    assert person.crontab.exists() == (text is not None)
    assert versions(person) == []
    assert drafts(person) == []


def test_errors_are_shown_and_one_may_go_back_in(person: Person, editor: Editor) -> None:
    person.has(OLD)
    bad, good = person.line("61 7 * * *", "x"), person.line("1 7 * * *", "x")
    editor(f"""
        if grep -q 61 "$1"; then printf '{good}' > "$1"; else printf '{bad}' > "$1"; fi""")
    result = person.types("edit", stdin="y\n")
    assert f"{person.crontab}:1:1: " in result.stdout
    assert f"    {bad}    ^\n" in result.stdout
    assert "Edit again? [Y/n]" in result.stdout
    assert person.crontab.read_text() == good


@pytest.mark.parametrize(
    ("answers", "complaints", "is_saved"),
    [
        ("\n", 0, True),  # Enter alone: yes
        ("YES\n", 0, True),
        ("e\nmaybe\n y \n", 2, True),
        ("q\nno\n", 1, False),
    ],
)
def test_an_answer_that_is_neither_yes_nor_no_is_asked_for_again(
    person: Person, editor: Editor, answers: str, complaints: int, *, is_saved: bool
) -> None:
    person.has(OLD)
    bad, good = person.line("61 7 * * *", "x"), person.line("1 7 * * *", "x")
    editor(f"""
        if grep -q 61 "$1"; then printf '{good}' > "$1"; else printf '{bad}' > "$1"; fi""")
    said = person.types("edit", stdin=answers).output
    assert said.count("Error: write y for yes or n for no\n") == complaints
    assert (person.crontab.read_text() == good) == is_saved


@pytest.mark.parametrize("answer", ["n\n", ""])
def test_who_does_not_go_back_in_saves_nothing_and_loses_nothing(
    person: Person, editor: Editor, answer: str
) -> None:
    person.has(OLD)
    bad = person.line("61 7 * * *", "x")
    editor(f"printf '{bad}' > \"$1\"")
    result = person.types("edit", stdin=answer)
    assert result.exit_code == 1
    assert person.crontab.read_text() == OLD
    (draft,) = drafts(person)
    assert draft.read_text() == bad
    assert f"your text is kept in {draft}" in result.stderr.replace("\n", "")


def test_warnings_are_shown_and_saved_all_the_same(person: Person, editor: Editor) -> None:
    editor('echo MAILTO=/dev/null > "$1"')
    result = person.types("edit")
    assert "(warning)" in result.stdout
    assert person.crontab.read_text() == "MAILTO=/dev/null\n"


@pytest.mark.parametrize(
    ("script", "said", "kept"),
    [
        ("exit 3", "ended with status 3, so nothing is changed", False),
        ('echo "# more" >> "$1"; exit 3', "ended with status 3, so nothing is changed", True),
        ('echo "# more" >> "$1"; kill -9 $$', "was killed by signal 9", True),
        ('rm "$1"', "is gone, so nothing is changed", False),
        ('rm "$1"; exit 1', "ended with status 1", False),
    ],
)
def test_an_editor_that_ends_badly_changes_nothing(
    person: Person, editor: Editor, script: str, said: str, kept: bool
) -> None:
    person.has(OLD)
    editor(script)
    result = person.types("edit")
    assert result.exit_code == 1
    assert said in result.stderr.replace("\n", " ")
    assert person.crontab.read_text() == OLD
    assert bool(drafts(person)) == kept


@pytest.mark.parametrize(
    ("command", "said"),
    [("/nonexistent", "can't be started"), ("'unclosed", "can't be understood")],
)
def test_an_editor_that_cannot_be_started_is_said_to_be(
    person: Person, monkeypatch: pytest.MonkeyPatch, command: str, said: str
) -> None:
    monkeypatch.setenv("EDITOR", command)
    result = person.types("edit")
    assert (result.exit_code, said in result.stderr) == (1, True)
    assert drafts(person) == []


def test_without_an_editor_the_usual_ones_are_tried(
    person: Person, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("PATH", str(person.home))
    assert "name one in EDITOR" in person.types("edit").stderr
    nano = person.home / "nano"
    nano.write_text('#!/bin/sh\necho "# by nano" > "$1"\n')
    nano.chmod(0o700)
    assert person.types("edit").exit_code == 0
    assert person.crontab.read_text() == "# by nano\n"


def test_an_edit_meanwhile_is_not_overwritten(person: Person, editor: Editor) -> None:
    person.has(OLD)
    editor(f"""echo "# mine" > "$1"; echo "# theirs" >> '{person.crontab}'""")
    result = person.types("edit")
    assert result.exit_code == 1
    assert person.crontab.read_text() == OLD + "# theirs\n"
    assert "changed by somebody else meanwhile" in result.stderr
    (draft,) = drafts(person)
    assert draft.read_text() == "# mine\n"


def test_a_save_that_fails_keeps_the_text(person: Person, editor: Editor) -> None:
    person.has(OLD)
    person.state.mkdir()
    (person.state / "versions").write_text("a file in the way")
    editor('echo "# mine" > "$1"')
    result = person.types("edit")
    assert result.exit_code == 1
    (draft,) = drafts(person)
    assert str(draft) in result.stderr.replace("\n", "")
    assert person.crontab.read_text() == OLD


def test_a_crontab_that_others_can_write_is_not_edited(person: Person, editor: Editor) -> None:
    person.has(OLD)
    person.crontab.chmod(0o666)
    editor('echo "# mine" > "$1"')
    assert "everybody can write it" in person.types("edit").stderr
    assert person.crontab.read_text() == OLD


def test_text_is_kept_byte_for_byte(person: Person, editor: Editor) -> None:
    editor("printf '# caf\\351\\r\\n# no end' > \"$1\"")
    assert person.types("edit").exit_code == 0
    assert person.crontab.read_bytes() == b"# caf\xe9\r\n# no end"


def test_ctrl_c_is_the_editors_and_not_ours(person: Person, editor: Editor) -> None:
    mark = person.home / "started"
    editor(
        f"""trap 'echo "# after ctrl-c" > "$1"; exit 0' INT; touch '{mark}'; while :; do sleep 0.05; done"""
    )
    process = person.starts("edit", start_new_session=True)
    deadline = time.monotonic() + 20
    while not mark.exists() and time.monotonic() < deadline:
        time.sleep(0.02)
    os.killpg(process.pid, signal.SIGINT)
    process.communicate(timeout=30)
    assert process.returncode == 0
    assert person.crontab.read_text() == "# after ctrl-c\n"


# --- install and remove --------------------------------------------------------------------------


def test_install_puts_a_file_in_place_and_keeps_the_old_text(person: Person) -> None:
    person.has(OLD)
    line = person.line("30 7 * * *", "report")
    result = person.types("install", person.file(line))
    assert result.exit_code == 0, result.output
    assert person.crontab.read_text() == line
    assert versions(person) == [OLD]
    assert result.stdout.count("07:30 Europe/Berlin") == 3


def test_install_reads_standard_input(person: Person) -> None:
    line = person.line("30 7 * * *", "report")
    assert person.types("install", "-", stdin=line).exit_code == 0
    assert person.crontab.read_text() == line


def test_the_problems_of_an_installed_file_are_named_by_it(person: Person) -> None:
    text = person.line("61 7 * * *", "x")
    file = person.file(text)
    result = person.types("install", file)
    assert result.stdout.startswith(f"{file}:1:1: ")
    assert str(person.crontab) not in result.output
    assert person.types("install", "-", stdin=text).stdout.startswith("-:1:1: ")


def test_install_refuses_a_file_with_errors(person: Person) -> None:
    person.has(OLD)
    result = person.types("install", person.file(person.line("61 7 * * *", "x")))
    assert result.exit_code == 1
    assert ":1:1: " in result.stdout
    assert "Nothing is changed" in result.stderr
    assert person.crontab.read_text() == OLD


@pytest.mark.parametrize("mode", [0o666, 0o664])
def test_install_minds_who_can_write_the_file(
    person: Person, monkeypatch: pytest.MonkeyPatch, mode: int
) -> None:
    shared = grp.struct_group(("users", "x", 100, []))
    monkeypatch.setattr(grp, "getgrgid", lambda _gid: shared)
    file = person.file(person.line("1 7 * * *", "x"))
    Path(file).chmod(mode)
    result = person.types("install", file)
    assert result.exit_code == (1 if mode == 0o666 else 0)
    assert "can write it" in result.stderr


def test_remove_keeps_the_text_and_says_where(person: Person) -> None:
    person.has(OLD)
    result = person.types("remove", "--yes")
    assert result.exit_code == 0
    assert not person.crontab.exists()
    assert versions(person) == [OLD]
    assert str(person.state / "versions") in result.stdout


def test_remove_without_anyone_to_ask_is_wrong_usage(person: Person) -> None:
    person.has(OLD)
    result = person.types("remove", stdin="y\n")
    assert result.exit_code == 2
    assert person.crontab.exists()


@pytest.mark.parametrize(("answer", "gone"), [(b"y\n", True), (b"n\n", False), (b"\n", False)])
def test_remove_asks_on_a_terminal(person: Person, answer: bytes, gone: bool) -> None:
    person.has(OLD)
    screen, terminal = os.openpty()
    process = person.starts("remove", stdin=terminal)
    os.write(screen, answer)
    process.communicate(timeout=30)
    os.close(terminal)
    os.close(screen)
    assert process.returncode == (0 if gone else 1)
    assert person.crontab.exists() != gone


def test_where_there_is_nothing_there_is_nothing_to_remove(person: Person) -> None:
    result = person.types("remove", "--yes")
    assert result.exit_code == 1
    assert "There is no crontab" in result.stderr
