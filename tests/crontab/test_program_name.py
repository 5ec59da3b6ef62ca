"""The word of a command's program: what a job is called by, where it was given no name."""

from __future__ import annotations

import re

import pytest
from hypothesis import given
from hypothesis import strategies as st

from scheduler.crontab.program_name import program


@pytest.mark.parametrize(
    ("command", "name", "reason"),
    [
        ("backup", "backup", "a word"),
        ("report --daily", "report", "without its arguments"),
        ("/usr/bin/backup /home /etc", "backup", "without folders"),
        ("~/bin/backup.sh", "backup.sh", "in a home"),
        ("$HOME/bin/sync x", "sync", "in a folder that a variable names"),
        ("${BIN}/sync x", "sync", "in either form"),
        ('"$BIN"/sync x', "sync", "in quotes"),
        ('"/opt/my prog/run it" x', "run", "the start of a name with a blank"),
        ("$CMD x", "CMD", "the variable's name, never its value"),
        ("$(which php) -f x", "php", "what is looked up first"),
        ("`command -v php` -f x", "php", "in either form"),
        ("$(pw) x", "", "what another command prints is not known"),
        ("backup;echo", "backup", "a word ends before a ;"),
        ("backup>/dev/null", "backup", "and before a redirection"),
        (">/tmp/log 2>&1 backup x", "backup", "which may stand in front"),
        ("&>> /tmp/log backup", "backup", "with a blank, too"),
        ("FOO=bar x", "x", "an assignment is none"),
        ("FOO='a b' BAR=$(cat pw) x", "x", "however it is quoted"),
        ("A=1", "", "there is no program"),
        ("-x", "", "nor here"),
        ("# x", "", "a comment"),
        ("cd /srv && x", "x", "what only prepares"),
        ("cd /srv; x", "x", "with any sign between"),
        ("cd /srv", "cd", "unless there is nothing else"),
        ("(cd /srv && x)", "x", "in a subshell"),
        ("{ cd /srv; x; }", "x", "in a group"),
        (
            "test -x /usr/sbin/anacron || ( cd / && run-parts /etc/cron.daily )",
            "run-parts",
            "Debian",
        ),
        ("[ -x /usr/bin/x ] && y -z", "y", "the other test"),
        ("[[ -f /a ]] && y", "y", "and bash's"),
        ("[ -x /usr/bin/x ]", "", "which has no name"),
        ("if [ -x /a ]; then b; fi", "b", "if"),
        ("if ! b; then c; fi", "b", "what is asked is run"),
        ("for i in a b; do c $i; done", "c", "for"),
        ("while b; do c; done", "b", "while"),
        ("case $A in x) c ;; esac", "c", "case"),
        ("command -v x >/dev/null && y", "y", "a look whether it is there"),
        (". ./env && x", "x", "an environment that is read"),
        ("export A=b; x", "x", "or set"),
        ("sleep 30; x", "x", "a wait"),
        ("sleep $((RANDOM / 60)); x", "x", "of any length"),
        ("sleep 30", "sleep", "unless that is all"),
        ("/usr/bin/env python3 x", "python3", "env"),
        ("env -i A=b x", "x", "with assignments"),
        ("env 'A=b c' x", "x", "in quotes"),
        ("env -S 'x y'", "env", "with an option that is not understood"),
        ("nice -n 10 x", "x", "nice"),
        ("nice -10 x", "x", "as it once was"),
        ("nice -n10 ionice -c3 x", "x", "one starts another"),
        ("nohup x &", "x", "nohup"),
        ("exec x", "x", "exec"),
        ("exec >/tmp/log 2>&1; x", "x", "which may do no more than redirect"),
        ("timeout 60 x", "x", "a time in front"),
        ("timeout -k 5 --signal=INT 60 x", "x", "and options"),
        ("flock -n /tmp/lock x", "x", "a lock"),
        ("flock -n /tmp/lock -c 'x y'", "flock", "a text for a shell"),
        ("sudo -u me x", "x", "another user"),
        ("sudo -nu me A=b x", "x", "in one word"),
        ("sudo --user me x", "sudo", "an option that is not understood"),
        ("time x", "x", "a clock"),
        ("sshpass -p hunter2 ssh host", "sshpass", "not what has a secret in front"),
        ("sh -c 'hunter2 x'", "sh", "nor what a shell is given"),
        ("a.b=hunter2 x", "a.b", "what looks like an assignment"),
        ("me:hunter2@host", "me", "or like a login"),
        ("écho 日本", "", "plain letters only"),
    ],
)
def test_the_program_of(command: str, name: str, reason: str) -> None:
    assert program(command) == name, reason


@pytest.mark.parametrize(
    "piece",
    ["'", '"', '\\"', "$(", "$((", "`", "a ", "env ", "A=$( ", "nice -n ", "x;", "cd;", "( ", "<"],
)
def test_a_long_command_is_read_in_no_time(piece: str) -> None:
    assert len(program(piece * (100_000 // len(piece)))) < 20


@given(st.text(st.sampled_from("ab/ ='\"\\$(){}`;&|<>-.\n#%1"), max_size=40))
def test_a_name_is_a_word_of_the_command_and_nothing_that_the_shell_reads(command: str) -> None:
    assert re.fullmatch(r"[A-Za-z0-9._+-]*", program(command))


FRONTS = ("cd /a-b && ", "cd ~/x; ", "test -x /b && ", "[ -f /c ] && ", "A=b/c ", "X= ")


@given(
    st.lists(st.sampled_from(FRONTS), max_size=3).map("".join),
    st.sampled_from(["x y", "nice x", "'x' y"]),
)
def test_the_quick_look_finds_what_the_careful_one_does(front: str, command: str) -> None:
    assert program(front + command) == program(f"true;{front}{command}") == "x"


SECRET = "hunter2"


@given(
    st.lists(st.sampled_from(["cd /x &&", "A='b c'", "env", "nice -n 5", "(", "timeout 9", "! "])),
    st.sampled_from(
        ["curl -u me:", "mysqldump -p", "A=b c --token ", "x 'a' ", 'php -r "', "x;y "]
    ),
)
def test_no_argument_is_ever_in_a_name(front: list[str], command: str) -> None:
    assert SECRET not in program(" ".join([*front, command + SECRET]))
