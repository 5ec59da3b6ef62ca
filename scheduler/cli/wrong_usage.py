"""What was typed for a command and is wrong in, a sentence about it out.

The words are ours, as on help pages.
"""

from __future__ import annotations

import shutil
import sys
from collections.abc import Callable
from typing import IO, Any

import typer

from scheduler.cli import option_parser
from scheduler.cli.help_page import USUAL, is_option, is_switch, metavar, names
from scheduler.printable import clean
from scheduler.suggestions import did_you_mean, nearest
from scheduler.text import shortened
from scheduler.wrapping import wrapped


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
    name, parser = _called(error.param), option_parser.parser_of(error.param)
    if parser is None:
        return f"{name}: {error.message}"
    return f"{name} takes {parser.what}, not {shortened(error.message)}"  # which is what was typed


def _missing(error: Any) -> str:
    return f"{_called(error.param)} is missing: {_lowered(error.param.help)}"


def _lowered(text: str) -> str:
    """Return a sentence as the rest of another."""
    return (text[:1].lower() + text[1:]).rstrip(".")


def _called(parameter: Any) -> str:
    return str(max(parameter.opts, key=len)) if is_option(parameter) else _plain(parameter)


def _plain(argument: Any) -> str:
    return metavar(argument).strip("[].")


def _no_option(error: Any) -> str:
    known = [name for each in error.ctx.command.get_params(error.ctx) for name in each.opts]
    hint = did_you_mean(nearest(error.option_name, known, most=2))
    return f"there is no option {error.option_name}{hint and '; '}{hint}"


def _option_usage(error: Any) -> str:
    options = {name: each for each in error.ctx.command.get_params(error.ctx) for name in each.opts}
    option = options.get(error.option_name)
    if option is None or is_switch(option):
        return f"{error.option_name} takes no value"
    return f"{error.option_name} needs a value: {names(option)}"


_WORDS: dict[str, Callable[[Any], str]] = {
    "BadParameter": _bad,
    "MissingParameter": _missing,
    "NoSuchOption": _no_option,
    "BadOptionUsage": _option_usage,
}
