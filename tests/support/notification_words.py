"""Words that a notification shows as they are, or drops, and a terminal that is not there."""

from pathlib import Path

NOWHERE = Path("/nonexistent/tty")
HOSTILE = [
    ('"; do shell script "id', "closes an AppleScript string"),
    ("$(id) `id` ; id | id > x", "shell syntax"),
    ("-e", "one of osascript's own options"),
    ("--", "the end of options"),
    ("-l JavaScript", "another of osascript's own options"),
    ("%n %s {0} \\n", "what formatters replace"),
    ("Pausé 休憩 ☕", "other alphabets"),
]

HARMLESS = [
    ("a\0b", "ab", "NUL would end an argument"),
    ("\x1b[31mred\x1b]0;owned\x07", "[31mred]0;owned", "ESC and BEL command a terminal"),
    ("\x9b31mred", "31mred", "so does the one-letter CSI of the C1 set"),
    ("evil\u202etxt.exe", "eviltxt.exe", "an override reverses what is behind it"),
    ("a\u2066b\u2069c", "abc", "and so do isolates"),
    ("one\r\ntwo\u2028three", "one\ntwo\nthree", "only newlines end a line"),
    ("col\tcol", "col\tcol", "a tab is harmless"),
    ("half\udce9", "half\ufffd", "a byte that was no UTF-8"),
    ("👩\u200d💻", "👩\u200d💻", "a joiner inside an emoji"),
    ("  \n ", "", "white space is nothing to show"),
]
