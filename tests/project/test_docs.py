"""The documents tell the truth: their commands, settings, files, links and figures are real."""

from __future__ import annotations

import re
import subprocess
import sys
from collections import Counter
from functools import lru_cache
from itertools import cycle
from operator import attrgetter
from pathlib import Path
from typing import TYPE_CHECKING
from zoneinfo import ZoneInfo

import pytest
from commands import COMMANDS, GROUP

from scheduler.crontab import parser, settings
from scheduler.entry import Settings

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator

    from typer.core import TyperCommand

ROOT = Path(__file__).parent.parent.parent
TOPS = (ROOT, ROOT / "scheduler", ROOT / "scheduler/cli/commands")
PAPERS = ("README.md", "SECURITY.md", "CONTRIBUTING.md", "CHANGELOG.md")
PATHS = [*(ROOT / name for name in PAPERS), *sorted((ROOT / "docs").glob("*.md"))]
PAGES = {str(path.relative_to(ROOT)): path.read_text(encoding="utf-8") for path in PATHS}
README = PAGES["README.md"]
SITTING = 2600  # words


def section(title: str) -> str:
    return README.split(f"\n## {title}\n")[1].split("\n## ")[0]


def spelt_out(text: str) -> set[str]:
    """Every CRON_ name of a text, `CRON_RETRY_DELAY` `_FACTOR` counting as CRON_RETRY_FACTOR."""
    found: set[str] = set()
    family = ""
    for name in re.findall(r"`((?:CRON)?_[A-Z_]+)`", text):
        if name.startswith("CRON_"):
            family = "CRON_RETRY" if name.startswith("CRON_RETRY_") else name
            found.add(name)
        else:
            found.add(family + name)
    return found


def test_every_command_named_in_the_readme_exists_and_none_is_left_out() -> None:
    named = {*re.findall(r"meridian ([a-z]+)\b", README)}
    assert named == set(COMMANDS)


def options(commands: Iterable[TyperCommand]) -> set[str]:
    """Every option that any of these commands takes."""
    named = {name for each in commands for option in each.params for name in option.opts}
    return named | {"--help", "-h"}


def written(page: str) -> Iterator[str]:
    """The code of a page: its spans, and its blocks with what a backslash goes on with."""
    yield from re.findall(r"`([^`\n]+)`", page)
    yield from (line for line in page.replace("\\\n", "").splitlines() if line.startswith("    "))


def asked(code: str) -> Iterator[tuple[str, set[str]]]:
    """Each `meridian COMMAND` of some code, with the options that it is given."""
    for line in re.findall(r"\bmeridian ([a-z]+\b[^|#\n]*)", code):
        yield line.split()[0], set(re.findall(r"(?<=\s)--?[a-z][a-z-]*", line))


@pytest.mark.parametrize("page", PAGES)
def test_every_command_with_its_options_is_one_that_there_is(page: str) -> None:
    for code in written(PAGES[page]):
        for command, given in asked(code):
            assert command in COMMANDS, code
            assert given <= options([COMMANDS[command]]), code


@pytest.mark.parametrize("page", PAGES)
def test_every_option_that_stands_alone_is_one_of_some_command(page: str) -> None:
    alone = {span.split()[0] for span in written(PAGES[page]) if span.startswith("--")}
    assert alone <= options([GROUP, *COMMANDS.values()])


def test_every_option_of_the_daemon_is_in_the_readme_with_its_default() -> None:
    run = COMMANDS["run"]
    for option in run.params:
        if option.name not in ("files", "help"):
            assert re.search(rf"`{option.opts[0]}\b", README), option.opts
    table = section("The commands").split("| option |")[1].split("\n\n")[0]
    rows = [row.split("|") for row in table.splitlines()[2:]]
    told = {option.split()[0].strip("`"): default.strip() for _, option, _, default, _ in rows}
    real = {name: option.default for option in run.params for name in option.opts}
    for name, default in told.items():
        shown = str(real[name]).removesuffix(".0")
        assert default == {"None": "no limit", "False": "off", "": "nobody"}.get(shown, shown)


def test_the_table_of_settings_is_the_one_that_acts() -> None:
    table = section("The language").split("| setting |")[1].split("\n\n")[0]
    assert spelt_out(table) == settings.TABLE.keys()


@lru_cache
def every_test() -> frozenset[str]:
    """The names of all tests that there are."""
    texts = (path.read_text(encoding="utf-8") for path in ROOT.glob("tests/*/test_*.py"))
    found = (re.findall(r"^(?:async )?def (test_\w+)\(", text, re.MULTILINE) for text in texts)
    return frozenset(name for names in found for name in names)


def named(row: str) -> str:
    """The name that a row's tests carry: its first cell, up to a bracket, as one word."""
    cell = row.split("|")[1].split("(", maxsplit=1)[0].replace("'", "")
    return re.sub(r"[^a-z0-9]+", "_", cell.lower()).strip("_")


def test_in_spring_and_in_autumn_every_row_on_time_is_tested() -> None:
    """Those of all tables of the page on time."""
    bodies = re.findall(r"^\| ---.*\n((?:\|.*\n)+)", PAGES["docs/time.md"], re.MULTILINE)
    rows = {named(row) for body in bodies for row in body.splitlines()}
    for season in ("spring", "autumn"):
        tested = (re.fullmatch(rf"test_(\w+)_in_{season}", name) for name in every_test())
        assert {found[1] for found in tested if found} == rows


# What stands for a default that no value of the setting would say.
IN_WORDS = {
    "none": None,
    "the job's next instant": None,
    "every failure": None,
    "nothing": frozenset[object](),
    "Meridian's words": "",
    "nobody": "",
}


def test_the_defaults_in_the_table_are_the_real_ones() -> None:
    table = section("The language").split("| setting |")[1].split("\n\n")[0]
    told: dict[str, object] = {}
    for _, names, _, default, _ in (row.split("|") for row in table.splitlines()[2:]):
        found = sorted(spelt_out(names), key=list(settings.TABLE).index)
        filling = [settings.TABLE[name] for name in found if settings.TABLE[name].field]
        texts = default.strip().split(", ") if filling else []
        for setting, text in zip(filling, cycle(texts), strict=False):
            is_word = text in IN_WORDS
            told[setting.field] = IN_WORDS[text] if is_word else setting.read(text)
        assert len(texts) in (0, 1, len(filling))
    plain = Settings()
    assert told == {field: attrgetter(field)(plain) for field in told}
    assert len(told) == sum(bool(setting.field) for setting in settings.TABLE.values())


def test_the_example_of_a_problem_is_what_check_prints() -> None:
    lines = README.split("\n    crontabs/invalid/")[1].split("\n\n")[0]
    example = "\n".join(line[4:] for line in f"    crontabs/invalid/{lines}".splitlines())
    file = example.split(":")[0]
    command = [sys.executable, "-m", "scheduler", "check", file]
    done = subprocess.run(command, cwd=ROOT, capture_output=True, text=True, check=False)
    assert (done.stdout + done.stderr).strip() == example.strip()
    assert done.returncode == 1


def test_the_crontab_at_the_top_is_read_without_a_problem() -> None:
    text = README.split("did not, and why.\n\n")[1].split("\n\n")[0]
    table = parser.parse(text.encode(), file="README.md", zone=ZoneInfo("UTC"))
    assert not table.problems
    assert len(table.entries) == 4


@pytest.mark.parametrize("page", PAGES)
def test_every_file_and_target_named_in_a_page_is_there(page: str) -> None:
    named = r"(?<![/\w])((?:crontabs|systemd|tests|scheduler)/[\w./-]*\w)"
    for path in re.findall(named, PAGES[page]):
        assert (ROOT / path).exists(), path
    targets = set(
        re.findall(r"^([a-z-]+):", (ROOT / "Makefile").read_text(encoding="utf-8"), re.MULTILINE)
    )
    assert set(re.findall(r"(?:sudo |`|    )make ([a-z-]+)", PAGES[page])) <= targets


@pytest.mark.parametrize("page", ["docs/architecture.md", "CONTRIBUTING.md"])
def test_every_module_that_the_map_names_is_there(page: str) -> None:
    """As `folder/file.py` below the package, or below the project."""
    modules = set(re.findall(r"`((?:\w+/)*\w+\.py)`", PAGES[page]))
    assert len(modules) > 10
    missing = [each for each in modules if not any((top / each).is_file() for top in TOPS)]
    assert missing == []


def test_what_make_says_of_its_targets_fits_a_screen() -> None:
    """`make help` writes two blanks, `make ` and the name in 13 cells before it."""
    text = (ROOT / "Makefile").read_text(encoding="utf-8")
    told = re.findall(r"^[a-z-]+:.*## (.+)$", text, re.MULTILINE)
    assert len(told) > 10
    assert all(len(each) <= 80 - len("  make ") - 13 for each in told)


def anchors(page: str) -> set[str]:
    """What a link into a page may name: its headings as a browser of the repository has them."""
    headings = re.findall(r"^#+ (.+)$", page, re.MULTILINE)
    return {re.sub(r"[^\w -]", "", heading.lower()).replace(" ", "-") for heading in headings}


def links(page: str) -> Iterator[tuple[str, str]]:
    """Each link of a page that stays in the repository: the page it leads to, and where in it."""
    for target in re.findall(r"\]\(([^)\s]+)\)", PAGES[page]):
        if "://" not in target:
            path, _, place = target.partition("#")
            there = (ROOT / page).parent / path if path else ROOT / page
            yield str(there.resolve().relative_to(ROOT)), place


@pytest.mark.parametrize("page", PAGES)
def test_every_link_leads_to_a_page_and_a_heading_that_are_there(page: str) -> None:
    for path, place in links(page):
        assert path in PAGES, path
        assert not place or place in anchors(PAGES[path]), (path, place)


def test_the_readme_leads_to_every_page() -> None:
    assert {path for path, _ in links("README.md")} == PAGES.keys() - {"README.md"}


def test_the_readme_is_read_in_one_sitting() -> None:
    assert sum(any(map(str.isalnum, word)) for word in README.split()) <= SITTING


def rows(page: str) -> set[str]:
    """The rows of a page's tables without their heads, each cell with its words alone."""
    bodies = re.findall(r"^\| ---.*\n((?:\|.*\n?)+)", page, re.MULTILINE)
    return {re.sub(r"\W+", " ", row).strip() for body in bodies for row in body.splitlines()}


def test_no_two_pages_have_a_row_in_common() -> None:
    found = Counter(row for page in PAGES.values() for row in rows(page))
    assert [row for row, number in found.items() if number > 1] == []


def figures(text: str) -> set[str]:
    """The numbers of a text, each with its unit if it is of time or of room."""
    words = " ".join(text.split())
    return set(re.findall(r"(?<![\w.])\d[\d,]*(?:\.\d+)?(?: (?:ms|s|MB|bytes)\b)?", words))


MEASURED = {
    "README.md": section("Figures"),
    "docs/state.md": PAGES["docs/state.md"].split("\n## Speed\n")[1].split("\n## ")[0],
}


@pytest.mark.parametrize("page", MEASURED)
def test_a_figure_told_elsewhere_is_one_of_the_page_of_figures(page: str) -> None:
    assert len(figures(MEASURED[page])) > 3
    assert figures(MEASURED[page]) <= figures(PAGES["docs/figures.md"])


def test_every_part_with_figures_names_the_command_that_measures_them() -> None:
    for part in [*MEASURED.values(), *PAGES["docs/figures.md"].split("\n## ")]:
        assert "`make bench`" in part, part


@pytest.mark.parametrize(
    "path", sorted((ROOT / "crontabs").glob("*.crontab")), ids=lambda p: p.name
)
def test_every_crontab_that_ships_is_read_without_a_problem(path: Path) -> None:
    table = parser.parse(path.read_bytes(), file=path.name, zone=ZoneInfo("UTC"))
    assert not table.problems
    assert table.entries


@pytest.mark.parametrize(
    ("lock", "package"),
    [
        ("install", "typer"),
        ("install-alerts", "apprise"),
        ("install-calendar", "icalendar"),
        ("build", "hatchling"),
    ],
)
def test_what_is_installed_is_what_was_tested(lock: str, package: str) -> None:
    tested, installed = (
        set(re.findall(r"^\S+==\S+|--hash=\S+", (ROOT / ".ci" / each).read_text(), re.MULTILINE))
        for each in ("requirements.lock", f"{lock}.lock")
    )
    assert installed < tested
    assert any(pin.startswith(f"{package}==") for pin in installed)


NAMED = re.compile(r"`(tests/\w+/test_\w+\.py)::(test_\w+)`")


def threats() -> list[str]:
    """The rows of SECURITY.md that say what is tried, and what holds it."""
    table = r"^\|.*\| test \|\n\|.*\n((?:\|.*\n)+)"
    bodies = re.findall(table, PAGES["SECURITY.md"], re.MULTILINE)
    return [row for body in bodies for row in body.splitlines()]


def test_every_threat_names_tests_that_are_there() -> None:
    assert len(threats()) > 30
    for row in threats():
        *_, last = row.strip("| ").split(" | ")
        assert ", ".join(f"`{file}::{name}`" for file, name in NAMED.findall(last)) == last, row
    for file, name in NAMED.findall(PAGES["SECURITY.md"]):
        text = (ROOT / file).read_text(encoding="utf-8")
        assert re.search(rf"^(?:async )?def {name}\(", text, re.MULTILINE), (file, name)


def test_every_rule_names_tests_that_are_there() -> None:
    bodies = re.findall(r"^(\|.*)\n\| ---.*\n((?:\|.*\n)+)", PAGES["docs/rules.md"], re.MULTILINE)
    assert all(head.endswith("| test |") for head, _ in bodies)
    rules = [row for _, body in bodies for row in body.splitlines()]
    assert len(rules) > 170
    for row in rules:
        *_, last = row.removesuffix(" |").split(" | ")
        names = re.findall(r"`(test_\w+)`", last)
        assert names, row
        assert ", ".join(f"`{name}`" for name in names) == last, row
        assert every_test().issuperset(names), set(names) - every_test()


@pytest.mark.parametrize("page", PAGES)
def test_no_page_holds_a_placeholder(page: str) -> None:
    for word in ("FIGURES\n", "TODO", "XXX"):
        assert word not in PAGES[page]


def test_the_table_of_doctor_has_a_row_for_each_check() -> None:
    code = (ROOT / "scheduler/cli/commands/doctor.py").read_text(encoding="utf-8")
    table = PAGES["docs/doctor.md"].split("| check |")[1].split("\n\n")[0]
    rows = [row.split("|")[1].strip() for row in table.splitlines()[2:]]
    named = re.findall(r'\bCheck\(\s*"([^"]+)"', code)
    asked_for = ["mail sent", "notification"]
    assert rows == [*(name for name in named if name not in asked_for), *asked_for]


def test_the_page_on_installing_names_every_extra_that_there_is() -> None:
    known = re.search(r"^ALL_EXTRAS := (.+)$", (ROOT / "Makefile").read_text(), re.MULTILINE)
    table = PAGES["docs/install.md"].split("| extra |")[1].split("\n\n")[0]
    assert known is not None
    assert re.findall(r"^\| `(\w+)`", table, re.MULTILINE) == known[1].split()
