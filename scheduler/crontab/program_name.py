"""A command in, the word of its program out: never an argument, never a value.

A rough reading of the shell's grammar (POSIX, Shell Command Language): enough to skip what
stands in front of a program. Where it is at a loss it names the word that it understood.
"""

from __future__ import annotations

import re
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping, Sequence

LONGEST_READ = 2000  # characters of a command that are looked at

# A name that begins a command and is followed by a blank: what most commands are.
_PLAIN_COMMAND = re.compile(r"(?:[\w.~-]*/)*([A-Za-z0-9][\w.+-]*)(?=[ \t]|\Z)", re.ASCII)
# What often stands in front of it, in its simplest form.
_FRONT = re.compile(
    r"(?:cd +[\w./~-]+ *(?:&&|;) *|test +-[a-z] +[\w./-]+ *&& *|\[ +-[a-z] +[\w./-]+ +\] *&& *"
    r"|[A-Za-z_]\w*=[\w./:-]* +)+",
    re.ASCII,
)
# A substitution is one piece of a word, with two levels of brackets in it.
_SHELL_TOKEN = re.compile(
    r"""(?P<skip>[ \t]+|(?:^|(?<=\s))\#[^\n]*|\d*[<>]&\d*-?)
    |(?P<redirect>\d*(?:&?>>?|<<?<?|>\|)[ \t]*)
    |(?P<ends>[\n;&|()]+)
    |(?P<word>(?:'[^']*'?|"(?:\\.|[^"\\])*"?|`[^`]*`?
        |\$\((?:[^()]|\((?:[^()]|\([^()]*\))*\))*\)|\$\{[^}]*\}
        |\\.?|[^\s;&|()<>'"`\\])+)
    |(?P<other>.)""",
    re.VERBOSE | re.DOTALL,
)
_ASSIGNMENT = re.compile(r"[A-Za-z_][A-Za-z0-9_]*\+?=")
_UNDERSTOOD = re.compile(r"-\d+|--[a-z-]+=.*", re.DOTALL)
_FOUND = re.compile(r"(?:\$\(|`)(?:which|command -v|type -p) ([\w./+-]+)")
_PROGRAM_NAME = re.compile(r"[A-Za-z0-9._+-]*")
_MADE_BY_SHELL = re.compile(r"[$`*?\[\]{}]|^~[^/]")
_QUOTES = re.compile(r"[\"'\\]")

# Words of the shell that may stand right in front of a command.
_KEYWORDS = frozenset({"!", "{", "if", "then", "elif", "else", "while", "until", "do"})
# Words that prepare: the program stands in a command behind theirs, if there is one.
_PREPARING = frozenset(
    {
        *("cd", "pushd", "popd", "test", "[", "[[", "true", "false", ":", "sleep", "wait", "type"),
        *("export", "set", "unset", "local", "declare", "readonly", "umask", "ulimit", "trap"),
        *("shopt", "alias", ".", "source", "hash", "which", "command", "exec", "eval"),
        *("for", "case", "select", "function", "fi", "done", "esac", "}", "]]"),
    }
)
# Programs that start another: letters of options without a value, letters of options with one, and
# how many words stand in front of the program.
_STARTING: Mapping[str, tuple[str, str, int]] = {
    "builtin": ("", "", 0),
    "chronic": ("ve", "", 0),
    "command": ("p", "", 0),
    "cronic": ("", "", 0),
    "doas": ("n", "uC", 0),
    "env": ("i0v", "uC", 0),
    "exec": ("cl", "a", 0),
    "flock": ("nsxueFo", "wE", 1),
    "ionice": ("t", "cn", 0),
    "nice": ("", "n", 0),
    "nohup": ("", "", 0),
    "run-one": ("", "", 0),
    "setsid": ("cfw", "", 0),
    "stdbuf": ("", "ioe", 0),
    "sudo": ("nHESkPA", "ughpCTR", 0),
    "time": ("p", "", 0),
    "timeout": ("v", "ks", 1),
}
_TAKEN_APART = _KEYWORDS | _PREPARING | _STARTING.keys()


def program(command: str) -> str:
    """Return the name of the program that a command is about, without its folder; "" if none.

    What only prepares is skipped (`cd /srv &&`, `test -x …`, `NAME=value`), and so is what
    starts another program (`env`, `nice -n 10`, `timeout 60`), where its options are known.
    """
    front = _FRONT.match(command)
    plain = _PLAIN_COMMAND.match(command, front.end() if front else 0)
    if plain and plain[1] not in _TAKEN_APART:
        return plain[1]
    prepared = ""
    for words in _commands(command[:LONGEST_READ]):
        word = _first(words)
        if word and word not in _PREPARING:
            return word
        prepared = prepared or word
    return _start_of_name(prepared)


def written(command: str) -> str:
    """Return the word that names `program(command)` as it is written, folder and all; "" if none.

    Also "" where only a shell can tell what the word comes to.
    """
    name = program(command)
    for words in _commands(command[:LONGEST_READ]):
        for word in words:
            bare = _QUOTES.sub("", word)
            if name and bare.rpartition("/")[2] == name:
                return "" if _MADE_BY_SHELL.search(bare) else bare
    return ""


def _commands(text: str) -> Iterator[list[str]]:
    """Yield the words of each simple command, without redirections."""
    words: list[str] = []
    is_target = False  # the next word is a file's name
    for token in _SHELL_TOKEN.finditer(text):
        kind = token.lastgroup
        if kind == "word" and not is_target:
            words.append(token[0])
        elif kind == "ends":
            yield words
            words = []
        is_target = kind == "redirect"
    yield words


def _first(words: Sequence[str]) -> str:
    """Return the name of the program of one simple command, "" if there is none."""
    rest = list(words)
    name = ""
    while rest:
        word = rest.pop(0)
        if word in _KEYWORDS or _ASSIGNMENT.match(_QUOTES.sub("", word)):
            continue
        if word in _PREPARING and word not in _STARTING:
            return word
        found = _basename(word)
        name = found or name
        if found not in _STARTING or not _skip_options(rest, *_STARTING[found]):
            break
    return name


def _basename(word: str) -> str:
    if found := _FOUND.match(word):
        word = found[1]
    bare = _QUOTES.sub("", word).partition("=")[0].rpartition("/")[2]
    return "" if bare.startswith("-") else _start_of_name(bare.strip("${}"))


def _start_of_name(text: str) -> str:
    found = _PROGRAM_NAME.match(text)
    return found[0] if found else ""


def _skip_options(rest: list[str], flags: str, valued: str, operands: int) -> bool:
    """Take options and operands off the front of `rest`; False where one is not understood."""
    while rest and rest[0].startswith("-"):
        word = rest.pop(0)
        if word == "--":
            break
        if _UNDERSTOOD.fullmatch(word):
            continue
        letters = word[1:].lstrip(flags)
        if letters and letters[0] not in valued:
            return False
        if len(letters) == 1:
            del rest[:1]
    del rest[:operands]
    return bool(rest)
