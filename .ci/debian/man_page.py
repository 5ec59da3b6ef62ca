"""The date in, the manual page meridian(1) out: what `--help` says of each command, as man(7)."""

from __future__ import annotations

import re
import sys
from typing import TYPE_CHECKING, Any

import typer.main

from scheduler import __version__
from scheduler.cli import app, help_page

if TYPE_CHECKING:
    from collections.abc import Iterator

NAME = "a cron daemon with time zones, retries and a memory"
STATUS = (
    ("0", "What was asked for is done."),
    ("1", "There is a problem; standard error says which."),
    ("2", "Wrong usage; standard error says how it is called."),
    ("130", "Ended with Ctrl-C."),
)
FILES = (
    ("/etc/meridian/crontabs/", "Root's crontabs, with a user column."),
    ("/var/lib/meridian/", "Root's state: the journal of runs and what jobs wrote."),
    ("/run/meridian/", "The control socket of root's daemon."),
    ("~/.config/meridian/crontab", "A user's crontab."),
    ("~/.local/state/meridian/", "A user's state."),
)
ALSO = "crontab(5), cron(8), systemctl(1); /usr/share/doc/meridian-cron/docs/"


def page(date: str) -> str:
    """Return the page. The date, 2027-03-28, stands at its foot."""
    return "\n".join([*_head(date), *_commands(), *_end()]) + "\n"


def _head(date: str) -> Iterator[str]:
    group: Any = typer.main.get_command(app)
    yield f'.TH MERIDIAN 1 "{date}" "Meridian {__version__}"'
    yield from (".SH NAME", f"meridian \\- {NAME}")
    yield from (".SH SYNOPSIS", ".B meridian", r".RI [ OPTIONS ]", r".I COMMAND", "\\&...")
    yield from (".SH DESCRIPTION", *_text(group.help))
    yield from (".SH OPTIONS", *_parameters(group, _context(group)))


def _commands() -> Iterator[str]:
    """Yield each command in the order of `meridian --help`, under the same titles."""
    group: Any = typer.main.get_command(app)
    for title, names in group.groups.items():
        yield f".SH {_plain(title).upper()}"
        for name in names:
            command = group.get_command(None, name)
            context = _context(command)
            yield f".SS {_plain(' '.join(['meridian', name, *_call(command, context)]))}"
            yield from _text(command.help)
            yield from _parameters(command, context)
            example = re.sub(r"^Example:\s+", "", command.epilog or "")
            if example:
                yield from (".PP", "Example:", ".PP", ".RS", f".B {_plain(example)}", ".RE")


def _context(command: Any) -> typer.Context:
    return typer.Context(command, help_option_names=["-h", "--help"])


def _call(command: Any, context: Any) -> list[str]:
    takes = command.get_params(context)
    return ["[OPTIONS]", *(help_page.metavar(each) for each in takes if _is_argument(each))]


def _is_argument(parameter: Any) -> bool:
    return not help_page.is_option(parameter)


def _parameters(command: Any, context: Any) -> Iterator[str]:
    """Yield the arguments, then the options, each with what it does."""
    shown = [each for each in command.get_params(context) if not getattr(each, "hidden", False)]
    for each in sorted(shown, key=help_page.is_option):
        name = help_page.metavar(each) if _is_argument(each) else help_page.names(each)
        yield from (".TP", f".B {_plain(name)}", _plain(help_page.told(each, context)))


def _end() -> Iterator[str]:
    yield ".SH EXIT STATUS"
    for name, told in STATUS:
        yield from (".TP", f".B {name}", _plain(told))
    yield from (".PP", _plain("meridian status --check has a monitor's own."))
    yield ".SH FILES"
    for name, told in FILES:
        yield from (".TP", f".I {_plain(name)}", _plain(told))
    yield from (".SH SEE ALSO", _plain(ALSO))


def _text(text: str | None) -> Iterator[str]:
    """Yield the paragraphs of a help text, a macro between each two."""
    for number, paragraph in enumerate((text or "").split("\n\n")):
        yield from [".PP"] * bool(number)
        yield _plain(" ".join(paragraph.split()))


def _plain(text: str) -> str:
    """Return a line that roff prints as it is: see groff_char(7), groff_man_style(7)."""
    escaped = text.replace("\\", r"\e").replace("-", r"\-").replace("~", r"\(ti")
    escaped = escaped.replace("'", r"\(aq").replace("`", r"\(ga").replace("^", r"\(ha")
    return rf"\&{escaped}" if escaped.startswith(".") else escaped


if __name__ == "__main__":
    sys.stdout.write(page(sys.argv[1]))
