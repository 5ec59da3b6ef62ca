"""A text as a shell takes it in words in, where in it is what looks like a secret out."""

from __future__ import annotations

import re
from typing import TYPE_CHECKING, NamedTuple

from scheduler import secret_forms as forms
from scheduler.secret_forms import is_secret

if TYPE_CHECKING:
    from collections.abc import Iterator

# A piece of a word as a shell reads it: in quotes, an escaped character, any others. A quote that
# is never closed takes along everything behind it.
_QUOTED_OR_BARE = re.compile(r"""'[^']*'?|"(?:[^"\\]|\\.)*"?|\\.|[^\s"'\\;&|()<>]+|\\""", re.DOTALL)
_BLANKS_OR_SIGNS = re.compile(r"[\s;&|()<>]+")
_COMMAND_END = re.compile(r"^[^<>]*[;&|\n][^<>]*$")  # not the & of 2>&1
_NAME_BEFORE_EQUALS = re.compile(r"(?<![\w.-])[.-]*([A-Za-z_][\w.-]*)=")
_SHELL_TEXT = re.compile(r"-[a-z]*c")  # sh -c 'NAME=value command'


def secrets_in(text: str) -> Iterator[tuple[int, int]]:
    """Yield where each secret begins and ends, some more than once."""
    yield from _shaped(text)
    yield from _words(text, 0, len(text), 0)


def secrets_in_pieces(text: str, size: int) -> Iterator[tuple[int, int]]:
    """Yield them in a text of any length, in time that grows as it does.

    It is looked at in pieces, each of which begins a fifth before the end of the last. A secret
    that may go on behind the end of its piece goes on to its closing quote, without one to a blank
    or a quote.
    """
    begin = 0
    while True:
        end = begin + size
        cut = len(text)
        for at, until in secrets_in(text[begin:end]):
            yield begin + at, begin + until
            if begin + until == end:
                cut = min(cut, begin + at)
        if end >= len(text):
            return
        begin = end - size // 5
        if cut < len(text):
            rest = _end_of_cut(text, cut, end)
            yield cut, rest
            begin = max(begin, rest)


def _end_of_cut(text: str, begin: int, at: int) -> int:
    """Return where a secret ends that began there, and has not ended at `at`."""
    quote = text[begin - 1 : begin]
    closing = quote if quote and quote in "\"'" else "\\s\"'"
    found = re.compile(f"[{closing}]").search(text, at)
    return found.start() if found else len(text)


# --- secrets that show by their shape -----------------------------------------------------------


def _shaped(text: str) -> Iterator[tuple[int, int]]:
    """Yield the spans of what is a secret wherever it stands."""
    for shape in forms.SECRET_SHAPES:
        for found in shape.finditer(text):
            yield from inside(text, *found.span("secret"))
    for form in (forms.PAIR, forms.HTTP_HEADER):
        for found in form.finditer(text):
            if is_secret(found["name"]):
                yield _to_quote(text, found.end(), found["quote"] or "")
    for found in forms.SET_WORDS.finditer(text):
        if is_secret(found["name"]):
            yield found.span("secret")


def _to_quote(text: str, at: int, quote: str) -> tuple[int, int]:
    if quote:
        end = text.find(quote, at)
        return at, end if end >= 0 else len(text)
    found = forms.BARE_VALUE.match(text, at)
    return at, found.end() if found else at


# --- secrets that show by what stands in front of them ------------------------------------------


class _Word(NamedTuple):
    """A word of the shell: its place, as it is written, and what its program is given."""

    begin: int
    written: str
    given: str

    @property
    def end(self) -> int:
        return self.begin + len(self.written)

    def behind(self, sign: str, at: int = 0) -> int | None:
        """Return the place behind the first `sign` from `at` on, None where nothing follows it."""
        found = self.written.find(sign, at) + len(sign)
        is_there = found >= at + len(sign) and self.written[found:].strip("\"'")
        return self.begin + found if is_there else None


def _words(text: str, begin: int, end: int, depth: int) -> Iterator[tuple[int, int]]:
    """Yield the spans of secrets in a stretch of the text, word for word."""
    state = _CommandSoFar()
    at = begin
    while at < end:
        if gap := _BLANKS_OR_SIGNS.match(text, at, end):
            at = gap.end()
            if _COMMAND_END.search(gap[0]):
                state = _CommandSoFar()
            continue
        word = _word(text, at, end)
        at = word.end
        if (hidden := state.secret_at(word)) is not None:
            yield from inside(text, hidden, word.end)
        else:
            is_command = _SHELL_TEXT.fullmatch(state.before) is not None
            yield from _within(text, word, depth, is_command=is_command)
        state.before = word.given


def _word(text: str, begin: int, end: int) -> _Word:
    at, parts = begin, []
    while at < end and (piece := _QUOTED_OR_BARE.match(text, at, end)):
        parts.append(piece[0].strip("\"'"))
        at = piece.end()
    return _Word(begin, text[begin:at], "".join(parts))


def _within(text: str, word: _Word, depth: int, *, is_command: bool) -> Iterator[tuple[int, int]]:
    """Yield the secrets in one word: `NAME=value` in it, and what is in its quotes."""
    at = word.begin
    while at < word.end and (piece := _QUOTED_OR_BARE.match(text, at, word.end)):
        if piece[0][0] in "\"'":
            span = (piece.start() + 1, piece.end() - _is_closed(piece[0]))
            yield from _quoted(text, *span, depth, is_command=is_command)
        elif (found := _assigned(text, at, piece.end())) is not None:
            value = _word(text, found, word.end).given
            if not forms.PLAIN_VALUE.fullmatch(value):
                yield from inside(text, found, word.end)
                return
        at = piece.end()


def _quoted(
    text: str, begin: int, end: int, depth: int, *, is_command: bool
) -> Iterator[tuple[int, int]]:
    """Yield the secrets inside quotes: one value with its name, or a text as good as a command."""
    found = None if is_command else _NAME_BEFORE_EQUALS.match(text, begin, end)
    if found and is_secret(found[1]):
        yield found.end(), end
    elif depth < 3:
        yield from _words(text, begin, end, depth + 1)


def _assigned(text: str, begin: int, end: int) -> int | None:
    """Return where the value of the first secret name begins, None if there is none."""
    for found in _NAME_BEFORE_EQUALS.finditer(text, begin, end):
        if is_secret(found[1]):
            return found.end()
    return None


def inside(text: str, begin: int, end: int) -> Iterator[tuple[int, int]]:
    """Yield what is in a stretch of the text but for quotes."""
    at = begin
    while at < end:
        piece = _QUOTED_OR_BARE.match(text, at, end)
        if piece is None:
            gap = _BLANKS_OR_SIGNS.match(text, at, end)
            yield at, gap.end() if gap else end
            at = gap.end() if gap else end
        elif piece[0][0] in "\"'":
            yield at + 1, piece.end() - _is_closed(piece[0])
            at = piece.end()
        else:
            yield piece.span()
            at = piece.end()


def _is_closed(piece: str) -> bool:
    return len(piece) > 1 and piece[-1] == piece[0]


class _CommandSoFar:
    """What is known of a command by those of its words that have been seen.

    Owns the word before, the programs among the words, and whether the next word is a secret.
    `_words` asks it word for word, in their order, and begins another where a command ends.
    """

    def __init__(self) -> None:
        self.before = ""
        self._tools: list[forms.Tool] = []  # also those of $(…) in it
        self._words: set[str] = {""}
        self._awaits: str | None = None  # the sign behind which the next word is secret

    def secret_at(self, word: _Word) -> int | None:
        """Return where in the word a secret begins, if what stands before it tells of one."""
        awaited, self._awaits = self._awaits, None
        if word.given.startswith("-"):
            return self._option(word)
        if awaited is not None:
            return word.behind(awaited)
        self._words.add(word.given)
        tool = forms.tool(word.given)
        if tool and tool not in self._tools:
            self._tools.append(tool)
        logins = (tool.login.match(word.written) for tool in self._tools if tool.login)
        return next((word.begin + found.end() for found in logins if found), None)

    def _option(self, word: _Word) -> int | None:
        # Letters first: in -pMyPassword1 the secret is the word, and no name of what follows.
        certain = (tool for tool in self._tools if tool.needs in self._words)
        glued = next(filter(None, (self._short(tool, word) for tool in certain)), None)
        if glued is not None:
            return glued
        option, equals, _ = word.given.partition("=")
        sign = self._sign(option)
        if sign and equals:
            return word.behind(sign, word.written.find("=") + 1)
        if sign is not None and not equals:
            self._awaits = sign
        return None

    def _sign(self, option: str) -> str | None:
        """Return behind which sign of its value an option has a secret; None if it has none."""
        for tool in self._tools:
            if option in tool.words:
                return tool.words[option]
        return forms.LOGINS.get(option, "" if _is_secret_option(option) else None)

    def _short(self, tool: forms.Tool, word: _Word) -> int | None:
        """Return where a secret begins in a word of letters: -psecret, -su me:secret."""
        letters = word.written.lstrip("\"'-").lstrip(tool.flags or " ")
        at = len(word.written) - len(letters)
        sign = tool.letters.get(letters[:1])
        if sign is None or word.given.startswith("--"):
            return None
        if letters[1:].strip("\"'"):
            return word.behind(sign, at + 1)
        self._awaits = None if tool.glued else sign
        return None


def _is_secret_option(option: str) -> bool:
    name = option.lstrip("-")
    is_long = option.startswith("--") or len(name) > 3
    return is_long and forms.OPTION.fullmatch(option) is not None and is_secret(name)
