"""A text in, where in it a schedule and a command stand that can hardly be anything else, out."""

from __future__ import annotations

from itertools import islice

from scheduler.schedule import nicknames, sixth_field
from scheduler.schedule.fields import WORD

WORDS_LOOKED_AT = 64  # of a text that are looked at
_IN_JOB = 7  # five fields, the command, and whether anything follows


def starts(text: str, at: int) -> bool:
    """Say whether five good fields, or a nickname, and a command stand there."""
    return _is_whole([word[0] for word in islice(WORD.finditer(text, at), _IN_JOB)])


def find(text: str, at: int = 0, *, most: int = WORDS_LOOKED_AT) -> int | None:
    """Return the offset of the first such job from `at` on, at most `most` words further.

    Five fields count only with a star among them: numbers alone may be a list.
    """
    words = list(islice(WORD.finditer(text, at), most + _IN_JOB))
    for index, word in enumerate(words[: most + 1]):
        texts = [each[0] for each in words[index : index + _IN_JOB]]
        is_list = not any(each.startswith(("*", "@")) for each in texts[:5])
        if not is_list and _is_whole(texts):
            return word.start()
    return None


def _is_whole(words: list[str]) -> bool:
    if words and nicknames.is_known(words[0]):
        return len(words) > 1 + (words[0].lower() == "@every")
    if len(words) < 6:
        return False
    five = [words[0].removeprefix("-"), *words[1:5]]
    return sixth_field.are_fields(five) and not sixth_field.is_field(words[5], more=len(words) > 6)
