"""A command in, its help page out.

The words are ours: a person never reads those of the libraries that parse options.
"""

from __future__ import annotations

import shutil
from collections.abc import Iterator, Mapping, Sequence
from enum import Enum
from typing import Any

import typer
from typer.core import TyperGroup

from scheduler.cli import option_parser
from scheduler.wrapping import wrapped

WIDEST, USUAL = 100, 80  # cells of a page: at most, and where there is no screen
_MARGIN, _COLUMN = 2, 26  # cells in front of an option, and of the column that they stand in


def page(command: Any, context: Any) -> str:
    """Return a command's help: how it is called, what it does, what it takes, an example."""
    width = min(WIDEST, shutil.get_terminal_size((USUAL, 24)).columns)
    parts = [_call(command, context, width), _text(command.help or "", width)]
    takes = [each for each in command.get_params(context) if not getattr(each, "hidden", False)]
    arguments = [(metavar(each), told(each, context)) for each in takes if not is_option(each)]
    options = [(names(each), told(each, context)) for each in takes if is_option(each)]
    for title, rows in (
        ("Arguments", arguments),
        *_commands(command, context),
        ("Options", options),
    ):
        if rows:
            parts.append("\n".join([typer.style(f"{title}:", bold=True), *_list(rows, width)]))
    if command.epilog:
        parts.append("\n".join(wrapped(command.epilog, width, 10)))
    return "\n\n".join(parts)


def _call(command: Any, context: Any, width: int) -> str:
    shown = [metavar(each) for each in command.get_params(context) if not is_option(each)]
    if isinstance(command, TyperGroup):
        shown = ["COMMAND", "..."]
    line = " ".join(["Usage:", context.command_path, "[OPTIONS]", *shown])
    return "\n".join(wrapped(line, width, 7))


def _text(text: str, width: int) -> str:
    paragraphs = (" ".join(each.split()) for each in text.split("\n\n"))
    return "\n\n".join("\n".join(wrapped(each, width)) for each in paragraphs)


def _list(rows: Sequence[tuple[str, str]], width: int) -> Iterator[str]:
    """Yield names and what they stand for, side by side where a name leaves room."""
    column = min(_COLUMN, max(len(name) for name, _ in rows) + 2 * _MARGIN)
    for name, told in rows:
        head = " " * _MARGIN + name
        first, *others = wrapped(" " * column + told, width, column)
        fits = len(head) + _MARGIN <= column
        yield from [head + first[len(head) :]] if fits else [head, first]
        yield from others


def _commands(command: Any, context: Any) -> Iterator[tuple[str, list[tuple[str, str]]]]:
    """Yield the commands of a group by what they are for, each with its first sentence."""
    groups: Mapping[str, Sequence[str]] = getattr(command, "groups", {})
    for title, names in groups.items():
        found = ((name, command.get_command(context, name)) for name in names)
        yield title, [(name, _first_sentence(each.help)) for name, each in found]


def _first_sentence(text: str) -> str:
    return " ".join(text.split("\n\n", maxsplit=1)[0].split()).split(". ")[0].rstrip(".")


def is_option(parameter: Any) -> bool:
    """Say whether a parameter is typed with its name: `--state DIR`."""
    return str(parameter.param_type_name) == "option"


def metavar(argument: Any) -> str:
    """Return an argument as it stands in a call: `JOB`, `[FILE...]`."""
    name = (argument.metavar or argument.name.upper()).strip("[].")
    many = "..." if argument.nargs == -1 else ""
    return f"{name}{many}" if argument.required else f"[{name}{many}]"


def names(option: Any) -> str:
    """Return an option as it is typed, its short form first: `-n N`, `--grace DURATION`."""
    names = ", ".join(sorted(option.opts, key=len))
    choices = choices_of(option)
    value = "|".join(choices) if choices else option.metavar or "VALUE"
    return names if is_switch(option) else f"{names} {value}"


def is_switch(option: Any) -> bool:
    """Say whether an option takes no value: `--json`."""
    return bool(getattr(option, "is_flag", False) or getattr(option, "is_bool_flag", False))


def told(parameter: Any, context: Any) -> str:
    """Return what a parameter is for, with what holds where it is not typed."""
    words = _OURS.get(parameter.name, parameter.help or "")
    default = None if is_switch(parameter) else _default(parameter, context)
    if parameter.required and is_option(parameter):
        return f"{words} Required."
    return words if default is None else f"{words} [{default}]"


_OURS = {
    "help": "Show this page.",
    "install_completion": "Let this shell complete commands and jobs at Tab, from its next start.",
    "show_completion": "Print what --install-completion would install.",
}


def _default(parameter: Any, context: Any) -> str | None:
    """Return what holds where nothing is typed, None where the help says so, or nothing does."""
    if isinstance(parameter.show_default, str):
        return parameter.show_default
    value = parameter.get_default(context, call=False) if parameter.show_default else None
    if value is None or value in ("", (), []):
        return None
    return str(value.value if isinstance(value, Enum) else value)


def choices_of(parameter: Any) -> list[str]:
    """Return the words of which one has to be typed; none where any value may be."""
    parser = option_parser.parser_of(parameter)
    return [] if parser is None else list(parser.choices)
