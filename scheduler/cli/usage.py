"""A command and what was typed for it in, its help page and what was wrong with that out.

The words are ours in all of both: a person never reads those of the libraries that parse options.
"""

from __future__ import annotations

import os
import shutil
import sys
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from enum import Enum
from functools import partial
from typing import IO, Any

import typer
from typer.core import TyperCommand, TyperGroup

from scheduler.cli import taken
from scheduler.printable import clean
from scheduler.suggestions import did_you_mean, nearest
from scheduler.text import shortened
from scheduler.wrapping import wrapped

UsageError: type[Exception] = typer.BadParameter.__mro__[1]  # Typer does not export it itself

WIDEST, USUAL = 100, 80  # cells of a page: at most, and where there is no screen
_MARGIN, _COLUMN = 2, 26  # cells in front of an option, and of the column that they stand in


# --- help pages ----------------------------------------------------------------------------------


def page(command: Any, context: Any) -> str:
    """Return a command's help: how it is called, what it does, what it takes, an example."""
    width = min(WIDEST, shutil.get_terminal_size((USUAL, 24)).columns)
    parts = [_call(command, context, width), _text(command.help or "", width)]
    takes = [each for each in command.get_params(context) if not getattr(each, "hidden", False)]
    arguments = [(_metavar(each), _told(each, context)) for each in takes if not _is_option(each)]
    options = [(_names(each), _told(each, context)) for each in takes if _is_option(each)]
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
    shown = [_metavar(each) for each in command.get_params(context) if not _is_option(each)]
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


def _is_option(parameter: Any) -> bool:
    return str(parameter.param_type_name) == "option"


def _metavar(argument: Any) -> str:
    """Return an argument as it stands in a call: `JOB`, `[FILE...]`."""
    name = (argument.metavar or argument.name.upper()).strip("[].")
    many = "..." if argument.nargs == -1 else ""
    return f"{name}{many}" if argument.required else f"[{name}{many}]"


def _names(option: Any) -> str:
    """Return an option as it is typed, its short form first: `-n N`, `--grace DURATION`."""
    names = ", ".join(sorted(option.opts, key=len))
    choices = _choices(option)
    value = "|".join(choices) if choices else option.metavar or "VALUE"
    return names if _is_switch(option) else f"{names} {value}"


def _is_switch(option: Any) -> bool:
    return bool(getattr(option, "is_flag", False) or getattr(option, "is_bool_flag", False))


def _told(parameter: Any, context: Any) -> str:
    told = _OURS.get(parameter.name, parameter.help or "")
    default = None if _is_switch(parameter) else _default(parameter, context)
    if parameter.required and _is_option(parameter):
        return f"{told} Required."
    return told if default is None else f"{told} [{default}]"


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


def _choices(parameter: Any) -> list[str]:
    parser = taken.parser_of(parameter)
    return [] if parser is None else list(parser.choices)


# --- wrong usage ---------------------------------------------------------------------------------


def show(error: Any, file: IO[str] | None = None) -> None:
    """Print what was wrong with a command, and where its help is: on standard error."""
    stream = sys.stderr if file is None else file
    context = error.ctx
    command = "meridian" if context is None else context.command_path
    width = shutil.get_terminal_size((USUAL, 24)).columns if stream.isatty() else sys.maxsize
    said = f"{command}: {clean(words(error))}"
    for line in wrapped(said, width, 2):
        typer.secho(line, file=stream, fg="red", bold=True)
    typer.echo(f"See {command} --help", file=stream)


def words(error: Any) -> str:
    """Return in a sentence what was wrong with a command."""
    wording: Callable[[Any], str] | None = _WORDS.get(type(error).__name__)
    return str(error.message) if wording is None else wording(error)


def _bad(error: Any) -> str:
    """Return what a value should be, in the words of the option if a library found it wrong."""
    if error.param is None:
        hint = error.param_hint
        return f"{hint}: {error.message}" if hint else str(error.message)
    name, parser = _called(error.param), taken.parser_of(error.param)
    if parser is None:
        return f"{name}: {error.message}"
    return f"{name} takes {parser.what}, not {shortened(error.message)}"  # which is what was typed


def _missing(error: Any) -> str:
    return f"{_called(error.param)} is missing: {_lowered(error.param.help)}"


def _lowered(text: str) -> str:
    """Return a sentence as the rest of another."""
    return (text[:1].lower() + text[1:]).rstrip(".")


def _called(parameter: Any) -> str:
    return str(max(parameter.opts, key=len)) if _is_option(parameter) else _plain(parameter)


def _plain(argument: Any) -> str:
    return _metavar(argument).strip("[].")


def _no_option(error: Any) -> str:
    known = [name for each in error.ctx.command.get_params(error.ctx) for name in each.opts]
    hint = did_you_mean(nearest(error.option_name, known, most=2))
    return f"there is no option {error.option_name}{hint and '; '}{hint}"


def _option_usage(error: Any) -> str:
    options = {name: each for each in error.ctx.command.get_params(error.ctx) for name in each.opts}
    option = options.get(error.option_name)
    if option is None or _is_switch(option):
        return f"{error.option_name} takes no value"
    return f"{error.option_name} needs a value: {_names(option)}"


_WORDS: dict[str, Callable[[Any], str]] = {
    "BadParameter": _bad,
    "MissingParameter": _missing,
    "NoSuchOption": _no_option,
    "BadOptionUsage": _option_usage,
}


# --- commands ------------------------------------------------------------------------------------


class Command(TyperCommand):
    """A command whose help page and errors are ours."""

    def get_help(self, ctx: Any) -> str:
        """Return the help page."""
        return page(self, ctx)

    def parse_args(self, ctx: Any, args: list[str]) -> list[str]:
        """Take what was typed; wrong usage is raised in our words."""
        ctx.allow_extra_args = True  # so that it is we who refuse them
        with _worded(ctx):
            rest = super().parse_args(ctx, args)
            if rest:
                raise UsageError(f"too many arguments: {shortened(' '.join(rest))}", ctx)
        return rest

    def invoke(self, ctx: Any) -> Any:
        """Run the command; what it refuses about its options is in our words, too."""
        with _worded(ctx):
            return super().invoke(ctx)


class Group(TyperGroup):
    """Commands in groups that have titles; its help page and errors are ours."""

    groups: Mapping[str, Sequence[str]] = {}

    def get_help(self, ctx: Any) -> str:
        """Return the help page."""
        return page(self, ctx)

    def parse_args(self, ctx: Any, args: list[str]) -> list[str]:
        """Take what was typed; wrong usage is raised in our words.

        Here too the library installs completion, in files that a shell will run.
        """
        with _worded(ctx), _nobody_else_writes():
            return super().parse_args(ctx, args)

    def resolve_command(self, ctx: Any, args: list[str]) -> Any:
        """Return the command that is named; wrong usage if there is none of that name."""
        name = args[0]
        if self.get_command(ctx, name) is None and not ctx.resilient_parsing:
            near = nearest(name, self.list_commands(ctx), most=2)
            hint = did_you_mean(near) or "meridian --help lists them"
            error = UsageError(f"there is no command {shortened(name)}; {hint}", ctx)
            _word(error)
            raise error
        return super().resolve_command(ctx, args)


@contextmanager
def _nobody_else_writes() -> Iterator[None]:
    """Let what is made meanwhile be its user's to write, whatever the umask."""
    mask = os.umask(0o077)
    os.umask(mask | 0o022)
    try:
        yield
    finally:
        os.umask(mask)


@contextmanager
def _worded(context: Any) -> Iterator[None]:
    """Let Typer show what is raised inside as we word it."""
    try:
        yield
    except UsageError as error:
        error.ctx = getattr(error, "ctx", None) or context  # type: ignore[attr-defined]  # it has one
        _word(error)
        raise


def _word(error: Exception) -> None:
    if type(error).__name__ != "NoArgsIsHelpError":  # which is the help page
        error.show = partial(show, error)  # type: ignore[attr-defined]  # what Typer calls
