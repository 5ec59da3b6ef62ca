"""What a command or a variable may show to people: stars for its secrets, and nothing else starred."""

from __future__ import annotations

import re
from dataclasses import replace
from hashlib import blake2b
from types import SimpleNamespace
from typing import TYPE_CHECKING

import pytest
from hypothesis import assume, example, given
from hypothesis import strategies as st

from scheduler import own_secrets, redact, secret_words
from scheduler.crontab.lexer import hidden
from scheduler.entry import AlertRule, Entry, Every, Settings
from scheduler.redact import mask, mask_named, masked
from scheduler.schedule.zone_data import UTC_ZONE
from scheduler.secret_forms import is_secret

if TYPE_CHECKING:
    from collections.abc import Iterator


@pytest.mark.parametrize(
    "name",
    [
        "PASSWORD",
        "PGPASSWORD",
        "SSHPASS",
        "BORG_PASSPHRASE",
        "MYSQL_PWD",
        "DB_PASSWD",
        "client_secret",
        "GITHUB_TOKEN",
        "API_KEY",
        "AWS_ACCESS_KEY_ID",
        "Apikey",
        "GOOGLE_APPLICATION_CREDENTIALS",
        "SENTRY_DSN",
        "REDISCLI_AUTH",
        "GH_PAT",
        "SESSION_COOKIE",
        "Authorization",
        "SLACK_WEBHOOK_URL",
        "SSH_KEYS",
    ],
)
def test_these_names_look_secret(name: str) -> None:
    assert is_secret(name)


@pytest.mark.parametrize(
    "name",
    [
        "PATH",
        "PWD",
        "PGPASSFILE",
        "SSH_AUTH_SOCK",
        "POSTGRES_PASSWORD_FILE",
        "KEYBOARD",
        "OLDPWD",
        "HOME",
        "MAILTO",
        "AUTHOR",
        "PINGS",
        "LANG",
        "SHELL",
        "DSNAP",
        "",
    ],
)
def test_these_do_not(name: str) -> None:
    assert not is_secret(name)


def test_a_secret_value_is_masked_and_the_last_of_a_name_wins() -> None:
    environment = (("A", "1"), ("API_KEY", "x"), ("A", "2"))
    assert masked(environment) == {"A": "2", "API_KEY": "***"}


def test_a_login_in_the_value_of_a_variable_is_masked_too() -> None:
    environment = (("DATABASE_URL", "postgres://me:hunter2@host/db"), ("OPTIONS", "--token abc x"))
    assert masked(environment) == {
        "DATABASE_URL": "postgres://me:*******@host/db",
        "OPTIONS": "--token *** x",
    }


# Each with its secret in brackets, which the command does not have.
FORMS = [
    "PGPASSWORD=[hunter2] psql",  # a variable in front
    "env PGPASSWORD=[hunter2] psql",
    "PGPASSWORD='[hunter 2]' psql",  # a starred value keeps its quotes
    'PGPASSWORD="[hunter \\" 2]" psql',
    "SECRET=[foo]'[bar]'[baz\\ qux] end",  # one word of the shell
    "SECRET='[a\\]' end",  # where a backslash escapes nothing
    "SECRET='[a b]",  # never closed
    "sh -c 'PGPASSWORD=[hunter2] psql'",  # a command inside
    "bash -lc \"PGPASSWORD='[a b]' psql\"",
    'docker run -e "API_TOKEN=[a b]" x',  # a word that is quoted whole
    "x --password=[hunter2] -v",  # long options
    "x --password [hunter2] -v",
    "x --password '[hunter 2]' -v",
    "x --api-key [hunter2]",
    "x --client-secret=[hunter2]",
    "java -Dspring.datasource.password=[hunter2] x",
    "keytool -storepass [hunter2]",
    "openssl enc -pass [pass:hunter2]",
    "openssl enc -k [hunter2]",
    "gpg --batch --passphrase [hunter2] -c x",
    "wget --http-password=[hunter2] x",
    "curl -u me:[hunter2] x",  # logins of programs
    "curl -ume:[hunter2] x",
    "curl -fsSu me:[hunter2] x",
    "curl -u 'me:[hunter 2]' x",
    "/usr/bin/curl --user me:[hunter2] x",
    "timeout 5 curl --user=me:[hunter2] x",
    "cd /x && curl -s x > /dev/null 2>&1 -u me:[hunter2]",
    "curl -x p --proxy-user me:[hunter2] x",
    "curl --oauth2-bearer [hunter2] x",
    "curl -b sid=[hunter2] x",
    "mysql -ume -p[hunter2] db",
    "mysqldump -u me -p'[hunter 2]' db",
    "mysqldump $(hosts) -p[hunter2] db",
    "mysqladmin --password=[hunter2] x",
    "mysql -e \"CREATE USER me IDENTIFIED BY '[hunter2]'\"",
    "psql -c \"ALTER ROLE me PASSWORD '[hunter2]'\"",
    'psql "host=x password=[hunter2] user=me"',
    "sshpass -p [hunter2] ssh host",
    "sshpass -p[hunter2] ssh host",
    "mysqldump -p[MyPassword1] db",  # a secret that reads like the name of one
    "mysqldump -p[Password=1] db",
    "sshpass -p[my-token] ssh host",
    "7z a -p[Secret1] a.7z x",
    "plink -pw [hunter2] host",
    "openssl cmp -keypass [hunter2] -key server.key",
    "redis-cli -a [hunter2] ping",
    "mongodump -u me -p [hunter2]",
    "ldapsearch -D me -w [hunter2] x",
    "lftp -u me,[hunter2] host",
    "smbclient -U me%[hunter2] //host/x",
    "zip -P [hunter2] a.zip x",
    "7z a -p[hunter2] a.7z x",
    "docker login -u me -p [hunter2] host",
    "skopeo copy --src-creds me:[hunter2] a b",
    "http -a me:[hunter2] host",
    "sqlplus me/[hunter2@db]",
    "aws configure set aws_secret_access_key [hunter2]",
    "echo [hunter2] | sudo -S reboot",
    "echo '[me:hunter 2]' | chpasswd",
    "echo -e '[hunter2\\n]' | sudo -S reboot",
    "printf '[%s\\n]'[ hunter2] | sudo -S reboot",
    "htpasswd -b /x me [hunter2]",
    "echo [hunter2] | docker login --password-stdin x",
    "curl -H 'X-Api-Key: [hunter2]' x",  # headers
    'curl -H "X-Auth-Token:[hunter2]" x',
    "curl -H X-Api-Key:[hunter2] x",
    "wget --header='X-Api-Key: [hunter2]' x",
    "curl -H 'Authorization: Bearer [abc.d=]'",
    "curl -H 'Authorization: Basic [bWU6eA==]' x",
    'curl -H "Authorization: [hunter2]" x',
    "x 'bearer [abc.d=]'",
    """curl -d '{"password":"[hunter2]","a":1}' x""",  # JSON
    """curl -d '{"user": "me", "api_key" : "[hunter2]"}' x""",
    """curl -d "{\\"password\\":\\"[hunter2]\\"}" x""",
    """curl -d '{"pin":[1234],"a":1}' x""",
    "curl -d password=[hunter2] x",  # forms and queries
    'curl "https://host/?token=[hunter2]&a=1" -H "A: b"',
    "curl 'https://host/?a=1&api_key=[hunter2]'",
    "x https://me:[hunter2]@host/a:b@c",  # URLs
    "x redis://:[hunter2]@host",
    "x 'amqp://me:[hunter@2]@host'",
    "rsync rsync://me:[hunter2]@host/x .",
    "DATABASE_URL=postgres://me:[hunter2]@host/db x",
    "git clone https://[ghp_0123456789abcdefghij]@github.com/x",  # tokens that show
    "curl https://[0123456789abcdef0123456789abcdef]@sentry.io/1",
    "x [AKIAIOSFODNN7EXAMPLE1]",
    "curl https://api.telegram.org/bot[123456789:AAabcdefghijklmnopqrstuv]/sendMessage",
    "vault login [hunter2]",
    "vault login -no-print -method=token '[hunter2]' && x",
    "vault login -method=userpass username=me password=[hunter2]",
    "vault operator unseal [aHVudGVyMg==]; x",
    "vault token renew [hunter2]",
    "ngrok config add-authtoken [hunter2]",
    "xfreerdp /u:me /p:[hunter2] /v:host",
    "xfreerdp /v:host /p:'[hunter 2]' /gp:[hunter3]",
    "xfreerdp3 '/p:[hunter 2]' /v:host",
    "wlfreerdp /u:me /pth:[aad3b435b51404ee] /v:host",
    "rdesktop -u me -p [hunter2] host",
    "curl https://hooks.slack.com/services/[T0/B0/abc] -d x",
]


FORMS += [  # who knows the path may ping, or post
    "curl -fsS https://hc-ping.com/[0b1c2d3e-aaaa-bbbb-cccc-0123456789ab/fail] x",
    "x && wget -q https://cronitor.link/p/[0123456789abcdef/backup?state=fail]",
    "curl 'https://kuma.example.com/api/push/[AbCdEfGhIj]?status=up'",
    "apprise -b x tgram://[123456789:abcdefg_hijklmnop/12315544/]",
    "apprise -b x 'mailtos://[me:hunter2@example.com]'",
]


def starred(form: str) -> str:
    return re.sub(r"\[([^]]*)\]", lambda found: "*" * len(found[1]), form)


@pytest.mark.parametrize("form", FORMS)
def test_a_secret_is_stars_and_nothing_else_is(form: str) -> None:
    assert mask(re.sub(r"[][]", "", form)) == starred(form)


def test_there_are_sixty_forms_at_least() -> None:
    assert len(FORMS) >= 60


@pytest.mark.parametrize(
    "command",
    [
        "vault login -method=oidc role=reader",
        "vault login -",
        "vault login",
        "vault token lookup",
        "vault login <token.txt",
        "vault kv get -field=value kv/app",
        "vault status && true",
        "cp a /p/x /v:host",
        "xfreerdp /v:host /port:3389",
        "ssh -p 8080 me@host x",
        "scp -P 8080 me@host:/x .",
        "ls -a /x",
        "mkdir -p x",
        "cp -p a b",
        "grep -u x",
        "tar -pxf x",
        "sort -u a:b",
        "sudo -u me x:y",
        "rsync -au a host:b",
        "docker run -u 1000:1000 -p 80:80 -v secrets:/run/secrets x",
        "redis-cli -p 6379 ping",
        "mysql -P 3306 -u me db",
        "mysql -p db",
        "curl -u me x",
        "curl -p -b cookies.txt x",
        "7z a -p x",
        "sqlplus / as sysdba",
        "ssh -o StrictHostKeyChecking=no -o PasswordAuthentication=no host",
        "gpg --keyserver keys.openpgp.org --recv x",
        "find . -name '*.key'",
        "pg_dump --no-password db",
        "ansible-playbook --ask-vault-pass x.yml",
        "restic --password-file /etc/restic x",
        "RESTIC_PASSWORD_FILE=/etc/restic restic backup",
        "x --password -x abc",
        "x --pass-on",
        "x --file abc",
        "x https://host:80/me:abc",
        "x https://host/@me",
        "git clone git@host:x/keys.git",
        "curl -H 'Accept: text/html' -H 'Host: a:b' x",
        """curl -d '{"name":"x"}' y""",
        "SECRET= a SIZE='b c'",
        "echo basic backup | mail -s token me",
        "echo x | sudo tee y",
        "wget --passive-ftp host",
        "apt-get update && apt-get -y upgrade",
        "passwd -l me",
        "monkey=1 x",
    ],
)
def test_what_looks_alike_and_is_no_secret_is_left_alone(command: str) -> None:
    assert mask(command) == command


@pytest.mark.slow
@pytest.mark.parametrize(
    "piece",
    [
        *("'", '"', "\\", '\\"', "K_KEY='", "K_KEY=\"\\'", "K_KEY=a' ", "\"'", "'\\\"", "a=\\ "),
        *("--a", "--key ", " --key-", "://a:", "://", "bearer ", "basic a:", '"key":"', "'key: "),
        *(
            "curl -u ",
            "echo a | ",
            "echo a ",
            "htpasswd -b ",
            "sk-",
            "set key ",
            "-key-",
            "password '",
            "(curl -",
            "vault login ",
            "vault login -",
            "authtoken ",
            " /p:",
            " /p:'",
        ),
    ],
)
def test_a_text_without_an_end_is_masked_in_no_time(piece: str) -> None:
    text = "A_KEY=x " + piece * (1_000_000 // len(piece))
    assert len(mask(text)) == len(text)


@given(st.text(st.sampled_from("aK-_=:/@ '\"\\{}$|;&\n"), max_size=60))
@example("K='")
def test_every_character_keeps_its_place(text: str) -> None:
    shown = mask("KEY=a;curl " + text)
    assert len(shown) == len(text) + 11
    assert all(new in (old, "*") for old, new in zip("KEY=a;curl " + text, shown, strict=True))


# --- the addresses of alerts and pings -----------------------------------------------------------


@pytest.mark.parametrize(
    ("value", "shown"),
    [
        ("https://hc-ping.com/0b1c-2d3e", "https://hc-ping.com/*********"),  # the host may be known
        ("http://host:8000/ping/key?x=1", "http://host:8000/************"),
        ("https://host?key=1", "https://host?*****"),
        ("https://host#key", "https://host#***"),
        ("https://host", "https://host"),
        ("https://host/", "https://host/"),
        ("https://me:hunter2@host/x", "https://*****************"),  # a login, and all behind it
        ("slack://T1/B2/C3", "slack://********"),  # of an alert the host is a key too
        ("json://me@host/x", "json://*********"),
        ("desktop, slack://T1/B2", "desktop, slack://*****"),
        ("htps://hc-ping.com/0b1c", "htps://****************"),
        ("desktop mail", "desktop mail"),
        ("@oncall", "@oncall"),
    ],
)
@pytest.mark.parametrize("name", ["CRON_PING", "CRON_ALERT", "CRON_PINGS", "CRON_ALERTS"])
def test_of_the_address_of_a_ping_or_an_alert_the_host_is_shown_at_most(
    name: str, value: str, shown: str
) -> None:
    assert mask_named(name, value) == shown
    assert masked(((name, value),)) == {name: shown}


def test_a_ping_whose_scheme_was_forgotten_is_stars_and_a_command_that_hears_is_not() -> None:
    assert mask_named("CRON_PING", "hc-ping.com/0b1c") == "****************"
    assert mask_named("CRON_ALERT", "slack:/T1/B2, mail") == "slack:******, mail"
    assert mask_named("CRON_ALERT", "slack:T1 mail:ops@host") == "slack:** mail:ops@host"
    assert mask_named("CRON_ALERT", "|/bin/tell --token abc me") == "|/bin/tell --token *** me"


def test_the_lines_of_a_crontab_that_have_such_addresses_are_shown_without_their_keys() -> None:
    lines = {
        "CRON_PING=https://hc-ping.com/0b1c": "CRON_PING=https://hc-ping.com/****",
        "CRON_PING=https://h/0b1c 0 9 * * * x": "CRON_PING=https://h/**** 0 9 * * * x",
        "CRON_ALERT = 'slack://T1/B2'": "CRON_ALERT = 'slack://*****'",
    }
    assert {line: hidden(line) for line in lines} == lines


# --- what is told of a run -----------------------------------------------------------------------


def entry(command: str = "true", stdin: str | None = None, **environment: str) -> Entry:
    return Entry("job", Every(1), "@every 1m", UTC_ZONE, command, stdin, tuple(environment.items()))


@pytest.mark.parametrize(
    ("of", "told", "shown"),
    [
        (entry(A_TOKEN="hunter2x"), "login hunter2x failed", "login *** failed"),
        (entry(A_TOKEN="hunter2x"), "loginhunter2xfailed", "login***failed"),
        (entry(A_TOKEN="hunter2x", B_KEY="hunter2xyz"), "hunter2xyz", "***"),  # the longer first
        (entry(A_TOKEN="p@ss word/1"), "GET /?q=p%40ss%20word%2F1", "GET /?q=***"),  # in a URL
        (entry(A_TOKEN="p@ss word/1"), "q=p%40ss+word%2F1", "q=***"),
        (entry(A_TOKEN='a"b\\c-d-e-f'), '{"q": "a\\"b\\\\c-d-e-f"}', '{"q": "***"}'),  # in JSON
        (entry(A_TOKEN="prod"), "prod: reproduced", "***: reproduced"),  # a short one is a word
        (entry(A_TOKEN="abc"), "abc", "abc"),  # a shorter one would star everything
        (entry(NO_TOKEN="true", A_AUTH="none"), "true none", "true none"),  # no secrets at all
        (entry("curl -u me:hunter2x host"), "me: hunter2x?", "me: ***?"),  # from the command
        (entry("chpasswd", "password=hunter2x\n"), "got hunter2x", "got ***"),  # and its input
        (entry(URL="https://me:hunter2x@host"), "got hunter2x", "got ***"),
        (entry(A_TOKEN="aaaaaaab"), "aaaaaaaaab", "aa***"),  # behind what nearly is it
        (None, "got hunter2x", "got hunter2x"),  # nobody knows by now
        (None, "B_TOKEN=hunter2x and more", "B_TOKEN=******** and more"),  # but its form tells
        (None, "don't use --token abc\nit's fine", "don't use --token ***\nit's fine"),
        (
            None,
            "x\n-----BEGIN RSA PRIVATE KEY-----\nAbC/d\nEfG=\n-----END RSA PRIVATE KEY-----\ny",
            "x\n-----BEGIN RSA PRIVATE KEY-----***-----END RSA PRIVATE KEY-----\ny",
        ),
        (None, "-----BEGIN PRIVATE KEY-----\nAbC/d\nEf", "-----BEGIN PRIVATE KEY-----***"),  # cut
    ],
)
def test_what_is_told_of_a_run_has_none_of_its_secrets(
    of: Entry | None, told: str, shown: str
) -> None:
    assert redact.text(of, told) == shown
    if of is not None:  # the same by who has no crontab
        assert redact.text(None, told, own_secrets.fingerprints(of)) == shown


def left_of(secrets: list[str], told: str) -> str:
    """The text without these secrets, looked for at every byte of it."""
    raw = told.encode()
    kept = [True] * len(raw)
    for secret in secrets:
        for known in own_secrets.fingerprints(entry(A_TOKEN=secret)):
            kind, size, salt, _, digest = known.split(" ")
            for at in range(len(raw) - int(size) + 1):
                end = at + int(size)
                around = raw[max(0, at - 1) : at] + raw[end : end + 1]
                found = blake2b(raw[at:end], digest_size=12, salt=bytes.fromhex(salt))
                is_part = kind == "word" and re.search(rb"\w", around)
                if found.hexdigest() == digest and not is_part:
                    kept[at:end] = [False] * int(size)
    return bytes(byte for byte, is_kept in zip(raw, kept, strict=True) if is_kept).decode()


SECRETS = st.lists(st.text('ab é/"', min_size=4, max_size=9), min_size=1, max_size=4)


@given(SECRETS, st.data())
def test_fingerprints_find_every_secret_and_nothing_else(
    secrets: list[str], data: st.DataObject
) -> None:
    of = entry(**{f"A_TOKEN_{n}": secret for n, secret in enumerate(secrets)})
    own = own_secrets.of_entry(of)
    pieces = st.sampled_from([*own, *"ab é/", *(secret[:-1] for secret in own)])
    told = "".join(data.draw(st.lists(pieces, max_size=12)))
    assert own_secrets.masked_by(own_secrets.fingerprints(of), told, "") == left_of(own, told)


def test_many_secrets_cost_a_long_text_little() -> None:
    many = {f"A_TOKEN_{n}": f"hunter/{n:04}é{'x' * n}" for n in range(10)}
    known = own_secrets.fingerprints(entry(**many))
    assert len({each.split(" ")[1] for each in known}) > 14
    looked_at = 0

    def counted(*_: object, **__: object) -> object:
        nonlocal looked_at
        looked_at += 1
        return SimpleNamespace(digest=bytes)

    text = "".join(f"{n} of 3000 files: copied\n" for n in range(3000))
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(own_secrets, "blake2b", counted)
        assert own_secrets.masked_by(known, text, "***") == text
    assert looked_at < len(text)  # it was once for each place and length


LONG = "x" * 300 + ' {"id": 12, "name": "it is all well"},'


@pytest.mark.parametrize(
    ("secret", "shown"),
    [
        ('"api_token": "hunter2x"', '"api_token": "********"'),
        ("--password hunter2x", "--password ********"),
        ("mysqldump -uroot -phunter2x db", "mysqldump -uroot -p******** db"),
        ("https://me:hunter2x@host/", "https://me:********@host/"),
        ("Authorization: Bearer hunter2x", "Authorization: Bearer ********"),
    ],
)
def test_a_line_of_any_length_keeps_all_but_its_secrets(secret: str, shown: str) -> None:
    """A program may write one line of JSON; wherever its secrets stand, its end is told."""
    for before in range(0, 50_000, 1111):
        line = (LONG * 200)[:before] + " " + secret + " " + LONG * 40 + "end"
        assert redact.text(None, line) == line.replace(secret, shown), before


@pytest.mark.parametrize(
    ("line", "shown"),
    [
        ('{"token": "' + "hunter 2" * 9000 + '", "b": 1}', '{"token": "' + "*" * 72_000 + '", "b": 1}'),
        ("--password " + "hunter2x" * 9000 + " -v", "--password " + "*" * 72_000 + " -v"),
        ("--password '" + "hunter 2" * 9000 + "' -v", "--password '" + "*" * 72_000 + "' -v"),
        ("--password '" + "hunter 2" * 9000, "--password '" + "*" * 72_000),  # never closed
    ],
)  # fmt: skip
def test_a_secret_longer_than_what_is_looked_at_together_is_stars(line: str, shown: str) -> None:
    assert redact.text(None, line) == shown


def test_a_longer_line_costs_as_much_more_and_no_more() -> None:
    """What is looked at together stays as long, so that nothing in it can cost its square."""
    looked_at: list[int] = []

    def counted(text: str) -> Iterator[tuple[int, int]]:
        looked_at.append(len(text))
        return iter(())

    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(secret_words, "secrets_in", counted)
        redact.text(None, "token " * 100_000)
    assert max(looked_at) <= redact.LONGEST_MASKED
    assert sum(looked_at) < 1.3 * 600_000


def test_no_fingerprint_has_anything_of_its_secret_and_each_job_has_others() -> None:
    one = own_secrets.fingerprints(entry(A_TOKEN="hunter2x"))
    other = own_secrets.fingerprints(replace(entry(A_TOKEN="hunter2x"), job="other"))
    assert "hunter" not in " ".join(one)
    assert b"hunter2x".hex() not in " ".join(one)
    assert set(one).isdisjoint(other)


def test_of_many_secrets_all_are_known_by_their_fingerprints() -> None:
    many = {f"A_TOKEN_{n}": f"hunter+{n:04}/==" for n in range(100)}
    shown = redact.text(None, "\n".join(many.values()), own_secrets.fingerprints(entry(**many)))
    assert shown == "\n".join(["***"] * 100)


def test_of_too_many_secrets_none_is_told() -> None:
    many = {f"A_TOKEN_{n}": f"hunter-{n:04}" for n in range(1000)}
    known = own_secrets.fingerprints(entry(**many))
    assert len(str(known)) < 100  # it is in each notice
    assert redact.text(None, "hunter-0999 hunter-0000 and more", known) == "***"
    inherited = own_secrets.fingerprints_of(many.values())
    assert own_secrets.fingerprints(entry(), inherited) == known


def test_secrets_that_all_jobs_inherit_are_known_too() -> None:
    outer = {"OUTER_PASSWORD": "hunter2x", "DB_URL": "db://me:hunter3x@host/", "NAME": "amy-amy"}
    values = own_secrets.of_variables(outer.items())
    assert sorted(values) == ["hunter2x", "hunter3x"]
    known = own_secrets.fingerprints(entry(A_TOKEN="hunter1x"), own_secrets.fingerprints_of(values))
    told = "hunter1x hunter2x hunter3x amy-amy"
    assert redact.text(None, told, known) == "*** *** *** amy-amy"


@pytest.mark.parametrize(
    ("command", "shown"),
    [
        ("mysql -phunter2x x; echo hunter2x", "mysql -p******** x; echo ********"),
        ("echo hunter2x; mysql -phunter2x", "echo ********; mysql -p********"),
        ("x --token 'a b/c'; y a%20b%2Fc", "x --token '*****'; y *********"),  # as in a URL
        ("PGPASSWORD=post psql -d post postgres", "PGPASSWORD=**** psql -d **** postgres"),
        ("x --token abc; y abc", "x --token ***; y abc"),  # too short to be looked for
        ("x --token true; true", "x --token ****; true"),
    ],
)
def test_what_is_a_secret_once_is_starred_wherever_it_stands(command: str, shown: str) -> None:
    assert mask(command) == shown
    assert redact.mask_target(f"|{command}") == f"|{shown}"
    assert mask_named("CRON_ALERT", f"desktop, | {command}") == f"desktop, | {shown}"
    assert hidden(f"0 9 * * * {command}") == f"0 9 * * * {shown}"


def test_a_secret_in_front_of_a_schedule_is_starred_in_its_command() -> None:
    line = "CRON_PING=http://host/hunter2x 0 9 * * * echo hunter2x"
    assert hidden(line) == "CRON_PING=http://host/******** 0 9 * * * echo ********"
    shown = redact.mask_command(replace(entry(A_TOKEN="hunter2x"), command="echo hunter2x"))
    assert shown == "echo ********"


def test_what_an_alert_s_command_complains_of_is_told_without_its_secrets() -> None:
    target = "|mysql -phunter2x"
    assert redact.mask_error("exit 1: no hunter2x", target) == "exit 1: no ********"


def test_the_secrets_of_an_alert_s_command_are_its_job_s() -> None:
    settings = Settings(alert=AlertRule(("|mysql -phunter2x",)))
    assert redact.text(replace(entry(), settings=settings), "got hunter2x") == "got ***"


def test_the_key_of_its_ping_and_its_alerts_is_its_secret() -> None:
    settings = Settings(ping="https://host/0b1c-2d3e", alert=AlertRule(("slack://T1/B2/C3",)))
    told = "sent to slack: T1/B2/C3 refused; https://host/0b1c-2d3e: 404"
    shown = redact.text(replace(entry(), settings=settings), told)
    assert shown == "sent to slack: *** refused; https://host/***: 404"


@given(st.text(st.characters(codec="utf-8"), min_size=8).map(str.strip), st.text(), st.text())
def test_a_value_of_a_secret_name_is_in_no_text(secret: str, before: str, behind: str) -> None:
    assume(len(secret) >= 8 and secret not in before + behind + redact.MASK)
    shown = redact.text(entry(A_TOKEN=secret), f"{before} {secret} {behind}")
    assert secret not in shown.replace(redact.MASK, "\0")
