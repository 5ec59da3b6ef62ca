"""What was typed in, the command that is meant run; its help page and errors are in our words."""

from __future__ import annotations

import gc
import os
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from functools import partial
from importlib import import_module
from typing import Any

import typer
from typer.core import TyperCommand, TyperGroup

from scheduler.suggestions import did_you_mean, nearest
from scheduler.text import shortened

UsageError: type[Exception] = typer.BadParameter.__mro__[1]  # Typer does not export it itself


class Command(TyperCommand):
    """A command whose help page and errors are ours."""

    def get_help(self, ctx: Any) -> str:
        """Return the help page."""
        return _page(self, ctx)

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
        gc.freeze()  # what is loaded stays, and is looked at no more
        gc.enable()
        with _worded(ctx):
            return super().invoke(ctx)


class Group(TyperGroup):
    """Commands in groups that have titles; its help page and errors are ours."""

    groups: Mapping[str, Sequence[str]] = {}

    def get_help(self, ctx: Any) -> str:
        """Return the help page."""
        return _page(self, ctx)

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


def _page(command: Any, context: Any) -> str:
    text: str = import_module("scheduler.cli.help_page").page(command, context)
    return text


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
        show = import_module("scheduler.cli.wrong_usage").show  # not before something is wrong
        error.show = partial(show, error)  # type: ignore[attr-defined]  # what Typer calls
