"""The word behind five fields: a command, a user, or a sixth field, and which of six is too many."""

from __future__ import annotations

import pytest

from scheduler.schedule import expression, sixth_field

COMMANDS = """
    apt-get run-one run-parts php-cgi nix-env git-lfs feb-end mon-service sat-solver may-report jan.sh
    dec2bin l2ping 7z 5zip 2to3 1password 00-backup.sh 2024-backup 1-5.sh 6#3x 5Lx x5L L2TP LWx
    [ : . true - -- --help -n /usr/bin/x ./x ../x ~/x ~/5 ~root/x x y.sh "x" 'x' $HOME/x $(x) `x` (x
    {x} !x @x \\\\x l h w l5 5l h/15 ?x a,b svc,web amy,bob 1,x x,1 mon,x june march august monday
    mon- -mon 1- 1-x x-1 1/2/3 1.5 1:2 1e5 0x10 10m 2h 12am bash cron sunday-job -5 +5 ½ ٣ ñ
    sun.sh oct-1.sh 1#x #1 # % 5%
""".split()

FIELDS = """
    * */2 */15 *,5 ? 0 5 00 59 99 2027 4294967296 1-5 1-5/2 0/15 10-20 1,2 1,15 2027-2030 2027/2
    MON mon Sun SAT jan DEC MON-FRI mon-fri sat,sun mon,wed,fri jan-mar jan,7 mon-5 1-fri MONDAY Sunday
    6#3 MON#2 fri#1 5L friL FRIL L L5 Lfri LW L-3 15W H H/15 H(0-5) H(0-5)/2 ~ 0~30 ~30 5~ mon~fri
    */2,5 *,* ?,? 1,* 5L,1
""".split()

LONE = "sat mon jan sun dec may".split()  # lower case, and nothing behind: a command after all

USERS = """
    root www-data svc-app web-app run-one amy,bob amy,bob,eve 1000 0 2027 mon sat mon,sat may svc$ CORP\\svc
    _apt systemd-network x h l Mon-x a1 1a
""".split()

NO_USERS = "* */2 ? 1-5 0/15 MON MON-FRI mon-fri jan-mar 6#3 5L L H/15 0~30 */2,5 1,2".split()


@pytest.mark.parametrize("word", COMMANDS)
def test_a_command_is_never_taken_for_a_field(word: str) -> None:
    assert not sixth_field.is_field(word, more=True)
    assert not sixth_field.is_field(word, more=False)


@pytest.mark.parametrize("word", FIELDS)
def test_a_field_is_never_taken_for_a_command(word: str) -> None:
    assert sixth_field.is_field(word, more=True)
    assert sixth_field.is_field(word, more=False) or word in LONE


@pytest.mark.parametrize("word", LONE)
def test_a_name_in_small_letters_with_nothing_behind_it_is_a_command(word: str) -> None:
    assert not sixth_field.is_field(word, more=False)
    assert sixth_field.is_field(word, more=True)


@pytest.mark.parametrize("word", USERS)
def test_in_the_system_form_a_users_name_is_never_taken_for_a_field(word: str) -> None:
    assert not sixth_field.is_field(word, more=True, system=True)


@pytest.mark.parametrize("word", NO_USERS)
def test_in_the_system_form_what_no_user_is_called_is_a_field(word: str) -> None:
    assert sixth_field.is_field(word, more=True, system=True)


@pytest.mark.parametrize(
    ("six", "index", "message", "hint", "why"),
    [
        ("0 30 7 * * 1-5", 0, "leave out the seconds", "write 30 7 * * 1-5", "no hour is 30"),
        (
            "*/10 30 7 * * 1-5",
            0,
            "leave out the seconds",
            "write 30 7 * * 1-5",
            "each tenth of them",
        ),
        (
            "0 0 9 ? * MON",
            0,
            "leave out the seconds",
            "write 0 9 * * MON, or 0 0 9 * MON",
            "Java's ?",
        ),
        (
            "0 0 12 * * ?",
            0,
            "leave out the seconds",
            "write 0 12 * * *, or 0 0 12 * *",
            "at the end",
        ),
        ("0 0 9 * * 6#3", 0, "leave out the seconds", "write 0 9 * * 6#3", "in its place"),
        (
            "0 5 * * * *",
            0,
            "leave out the seconds",
            "write 5 * * * *, or 0 5 * * *",
            "or a * too many",
        ),
        (
            "0 22 * * * 1-5",
            0,
            "leave out the seconds",
            "write 22 * * * 1-5, or 0 22 * * 1-5",
            "both",
        ),
        (
            "15 5 * * * *",
            2,
            "one * is too many",
            "write 15 5 * * *, or 5 * * * *",
            "hardly seconds",
        ),
        ("* * * * * *", 0, "one * is too many", "write * * * * *", "any of them"),
        ("* 0 9 * * 1-5", 0, "one * is too many", "write 0 9 * * 1-5", "the first"),
        ("0 0 1 1 * 2027", 5, "leave out the year", "write 0 0 1 1 *", "at the end"),
        ("0 0 1 1 * 2027-2030", 5, "leave out the year", "write 0 0 1 1 *", "several years"),
        ("0 9 * * 5 L", 5, "'L' is one too many", "write 0 9 * * 5", "no weekday"),
        ("1 2 3 4 60 6", 4, "'60' is one too many", "write 1 2 3 4 6", "in the middle"),
        ("60 60 60 60 60 60", 5, "'60' is one too many", "five fields", "none would do"),
        ("0 9 * * * *.sh", 5, "can't begin with *", "quotes", "nor is that a field"),
    ],
)
def test_the_odd_one_of_six_is_named(
    six: str, index: int, message: str, hint: str, why: str
) -> None:
    odd = sixth_field.odd_one(six.split())
    assert odd.which == index, why
    assert message in odd.message, why
    assert hint in odd.hint, why
    for way in odd.hint.removeprefix("write ").split(", or "):
        if way[0] in "0123456789*":
            expression.parse(way)


def test_a_name_that_may_be_a_command_can_be_written_as_one() -> None:
    assert "if mon is the command, write its path" in sixth_field.refuse("0 9 * * * mon").hint
    assert not sixth_field.is_field("/usr/bin/mon", more=True)
