"""Which commands need no shell; that they mean the same without one is shown in test_process."""

from __future__ import annotations

import pytest

from scheduler.process.direct_exec import direct

PATH = {"PATH": "/usr/bin:/bin", "SHELL": "/bin/sh"}


@pytest.mark.parametrize(
    ("command", "words", "why"),
    [
        ("true", (b"true",), "one word"),
        ("backup --to /srv/b-1", (b"backup", b"--to", b"/srv/b-1"), "plain words"),
        ("/usr/bin/backup  -v ", (b"/usr/bin/backup", b"-v"), "blanks only part words"),
        ("tar a=b c:d e,f g@h +i %j", (b"tar", b"a=b", b"c:d", b"e,f", b"g@h", b"+i", b"%j"), "signs that mean nothing to a shell"),
        ("./run", (b"./run",), "in the home"),
        ("/usr/bin/test -f x", (b"/usr/bin/test", b"-f", b"x"), "a path is never a builtin"),
        ("7z x a.7z", (b"7z", b"x", b"a.7z"), "a digit first"),
    ],
)  # fmt: skip
def test_plain_words_need_no_shell(command: str, words: tuple[bytes, ...], why: str) -> None:
    assert direct(command, PATH) == words, why


@pytest.mark.parametrize(
    ("command", "why"),
    [
        ("", "an empty command is the shell's to think about"),
        (" true", "a blank first: leave it to the shell"),
        ("a; b", "a list"),
        ("a & b", "a list"),
        ("a && b", "a list"),
        ("a | b", "a pipe"),
        ("a > b", "a redirection"),
        ("a 2>&1", "a redirection"),
        ("(a)", "a subshell"),
        ("{ a", "a group"),
        ("a {b,c}", "braces"),
        ("! a", "a negation"),
        ("a 'b'", "quotes"),
        ('a "b"', "quotes"),
        ("a \\b", "a quote"),
        ("a $B", "a variable"),
        ("a `b`", "a substitution"),
        ("a *", "a glob"),
        ("a ?", "a glob"),
        ("a [b]", "a glob"),
        ("[ -f a ]", "a builtin"),
        ("a ~/b", "the home"),
        ("a # b", "a comment"),
        ("a\tb", "a tab"),
        ("a\nb", "a line"),
        ("a\0b", "no command at all"),
        ("a \u00e9", "not ASCII"),
        ("\u00e9", "not ASCII"),
        ("A=1", "an assignment"),
        ("A=1 b", "an assignment"),
        ("-x", "`sh -c -x` takes it for an option"),
        ("+x", "and this"),
        ("=x", "only zsh knows what it means"),
        ("%1", "a job"),
        ("cd /tmp", "a builtin"),
        ("echo a", "echo differs from /bin/echo"),
        ("printf %s a", "a builtin"),
        ("test -f a", "a builtin"),
        ("exec a", "a builtin"),
        (". a", "a builtin"),
        (": a", "a builtin"),
        ("ulimit -n 5", "a builtin"),
        ("time a", "a word of the language"),
        ("if a", "a word of the language"),
    ],
)
def test_what_the_shell_would_read_otherwise_is_the_shells(command: str, why: str) -> None:
    assert direct(command, PATH) is None, why


@pytest.mark.parametrize(
    ("changed", "needs_shell", "why"),
    [
        ({"SHELL": "/bin/bash"}, False, "a Bourne shell"),
        ({"SHELL": "/bin/dash"}, False, "a Bourne shell"),
        ({"SHELL": "/usr/bin/fish"}, True, "who knows"),
        ({"SHELL": "/bin/zsh"}, True, "who knows"),
        ({"SHELL": "/usr/local/bin/log-and-run"}, True, "a wrapper by way of SHELL"),
        ({"SHELL": "sh"}, True, "which one?"),
        ({"SHELL": ""}, True, "so that its error is told"),
        ({"PATH": ""}, True, "the shell has a path of its own"),
        ({"PATH": "~/bin:/usr/bin"}, True, "bash looks in the home"),
        ({"BASH_ENV": "/etc/bashrc"}, True, "a file read first"),
        ({"ENV": "/etc/shrc"}, True, "a file read first"),
        ({"BASH_FUNC_a%%": "() { b; }"}, True, "a function may have the command's name"),
        ({"SHELLOPTS": "xtrace"}, True, "bash obeys it from the environment"),
        ({"BASHOPTS": "extglob"}, True, "and this"),
        ({"HOME": "/nowhere", "LANG": "C"}, False, "nothing of a shell's"),
    ],
)
def test_the_environment_has_a_say_too(
    changed: dict[str, str], needs_shell: bool, why: str
) -> None:
    assert (direct("a b", PATH | changed) is None) == needs_shell, why


def test_without_a_path_the_shell_searches_its_own() -> None:
    assert direct("a", {"SHELL": "/bin/sh"}) is None
