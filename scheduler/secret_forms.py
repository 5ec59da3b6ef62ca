"""The forms in which commands carry secrets, as data: names, programs with their options, shapes.

From the manuals of the programs named here. What a form hides is `mask`'s.
"""

from __future__ import annotations

import re
from typing import TYPE_CHECKING, NamedTuple

if TYPE_CHECKING:
    from collections.abc import Mapping


# PASS covers PGPASSWORD, SSHPASS and BORG_PASSPHRASE; KEY is the end of a part of the name, and the
# short words are a whole part. PWD only behind another part: PWD itself is a folder.
_SECRET = re.compile(
    r"(?<!BY)(?<!COM)PASS(?!IVE|ENGER)|SECRET|TOKEN|CRED(?:ENTIAL|S(?![A-Z]))|PRIVATE|COOKIE"
    r"|KEYS?(?![A-Z])|AUTHORIZATION|BEARER|WEBHOOK|CONNECTION_?STRING"
    r"|(?<![A-Z])(?:DSN|AUTH|PAT|PIN|PSK|OTP)(?![A-Z])"
    r"|[A-Z0-9]_?PWD(?![A-Z])",
)
# Names of what only leads to a secret, or says how to ask for it.
_NOT_SECRET = re.compile(
    r"OLDPWD|(?:NO|ASK|PROMPT)[_-].*|.*FILE|.*[_-](?:PATH|DIR|SOCK|STDIN|FD|ENV|NAME|LENGTH)"
)
# Values that are no secret whatever their name: StrictHostKeyChecking=no.
PLAIN_VALUE = re.compile(r"(?i)(?:yes|no|true|false|on|off|none|null|ask|prompt|accept-new|[01])?")


def is_secret(name: str) -> bool:
    """Say whether the value of a variable of this name is not to be printed, logged or mailed."""
    upper = name.upper()
    return _SECRET.search(upper) is not None and not _NOT_SECRET.fullmatch(upper)


class Tool(NamedTuple):
    """How a program takes secrets on its command line.

    `letters` are short options: each with the sign that a secret stands behind in their value, ""
    where all of it is one. `flags` may stand in front of a letter, in the same word. `words` are
    options of more letters, likewise. With `glued` a value follows its letter at once, or there is
    none. `needs` is a subcommand without which they mean something else.
    """

    letters: Mapping[str, str] = {}
    words: Mapping[str, str] = {}
    flags: str = ""
    glued: bool = False
    needs: str = ""
    login: re.Pattern[str] | None = None


_PASSWORD = Tool({"p": ""})
_CAPITAL = Tool({"P": ""})
_GLUED = Tool({"p": ""}, glued=True)
_LOGIN = Tool(login=re.compile(r"[\w$#]+/(?!/)"))  # user/password@database
_SAMBA = Tool({"U": "%"}, {"--user": "%"})
_REGISTRY = Tool({"p": ""}, needs="login")
_HTTPIE = Tool({"a": ":"}, {"--auth": ":"})

_TOOLS: dict[tuple[str, ...], Tool] = {
    ("curl",): Tool(
        {"u": ":", "U": ":", "b": "="},
        {"--user": ":", "--proxy-user": ":", "--cookie": "="},
        flags="#01234afgijklnpqsvBGIJLMNORSZ",
    ),
    ("mysql", "mysqladmin", "mysqlbinlog", "mysqlcheck", "mysqldump", "mysqlimport"): _GLUED,
    ("mysqlpump", "mysqlshow", "mariadb", "mariadb-dump", "mariadb-backup", "xtrabackup"): _GLUED,
    ("mariadb-admin", "mariadb-check", "mariabackup", "7z", "7za", "7zr", "rar", "unrar"): _GLUED,
    ("sshpass", "mongo", "mongodump", "mongoexport", "mongoimport", "mongorestore"): _PASSWORD,
    ("mongosh", "mydumper", "myloader", "beeline", "cqlsh", "rabbitmqadmin"): _PASSWORD,
    ("ncftpget", "ncftpput", "rdesktop", "twine", "useradd", "usermod"): _PASSWORD,
    ("redis-cli", "valkey-cli"): Tool({"a": ""}),
    ("ldapadd", "ldapdelete", "ldapmodify", "ldapsearch", "ldapwhoami"): Tool({"w": ""}),
    ("zip", "unzip", "mosquitto_pub", "mosquitto_sub", "sqlcmd", "bcp", "ipmitool"): _CAPITAL,
    ("openssl",): Tool(words={"-k": "", "-K": ""}),  # -key is another option of it
    ("plink", "pscp", "psftp"): Tool(words={"-pw": ""}),
    ("lftp",): Tool({"u": ","}),
    ("smbclient", "smbget", "rpcclient"): _SAMBA,
    ("http", "https", "xh", "xhs"): _HTTPIE,
    ("docker", "podman", "nerdctl", "buildah", "skopeo", "helm", "az", "oc"): _REGISTRY,
    ("swaks",): Tool(words={"-ap": ""}),
    ("sendemail", "sendEmail"): Tool(words={"-xp": ""}),
    ("sqlplus", "expdp", "impdp", "exp", "imp", "rman"): _LOGIN,
}
TOOLS = {name: tool for names, tool in _TOOLS.items() for name in names}
# Options that mean a login whatever the program.
LOGINS = {"--creds": ":", "--src-creds": ":", "--dest-creds": ":", "--proxy-user": ":"}

# --- shapes: what is a secret wherever it stands ------------------------------------------------

_TOKENS = (
    r"gh[pousr]_|github_pat_|glpat-|xox[abeprs]-|[sr]k_live_|sk-|npm_|pypi-|dop_v1_|hf_|AIza"
    r"|ya29\.|SG\.|eyJ|AKIA|ASIA"
)
_ECHOED = r"\b(?:echo(?: +-[neE]+)?|printf) +(?P<secret>[^|;&\n]{0,300}[^\s|;&]) *\| *"
# what takes a token as a word of its own, or without one from a prompt
_VAULT = r"\b(?:vault|bao) +(?:login|unwrap|operator +unseal|token +(?:lookup|renew|revoke))"
_PINGED = (
    r"hc-ping\.com|cronitor\.link/p|nosnch\.in|heartbeat\.uptimerobot\.com|push\.statuscake\.com"
    r"|uptime\.betterstack\.com/api/v1/heartbeat|api\.honeybadger\.io/v1/check_in"
    r"|[\w.-]+\.webhook\.office\.com|maker\.ifttt\.com/trigger|chat\.googleapis\.com/v1/spaces"
)
# schemes of Apprise's addresses that are mostly key: github.com/caronc/apprise
_ALERTED = (
    "tgram|slack|discord|msteams|workflows|gchat|pover|pbul|gotifys?|ntfys?|mmosts?|matrixs?"
    "|rockets?|opsgenie|pagerduty|splunk|victorops|twilio|zulip|line|signals?|ifttt|prowl|sendgrid"
    "|mailgun|sparkpost|mailtos?|apprises?|simplepush|pushy|pushdeer|bark|barks|join|flock|guilded"
)
_RDP = r"g?p|pth|pass(?:word)?"
SECRET_SHAPES = tuple(
    re.compile(shape)
    for shape in (
        # RFC 3986, 3.2.1: user:password@, and whatever stands in front of the last @
        r"""://[^\s/:@"']*:(?P<secret>[^\s/"']+)@""",
        r"(?i:\bbearer )(?P<secret>[\w.~+/=-]+)",  # RFC 6750
        rf"(?<![A-Za-z0-9])(?P<secret>(?:{_TOKENS})[\w.-]{{14,}})",
        r"https?://(?P<secret>[A-Za-z0-9_-]{20,})@",  # too long for a name
        r"\bhtpasswd +-\w*b\w* +\S+ +\S+ +(?P<secret>\S+)",
        r"/bot(?P<secret>\d{6,}:[\w-]{20,})",
        r"//hooks\.slack\.com/services/(?P<secret>[\w/-]+)",
        r"//discord(?:app)?\.com/api/webhooks/(?P<secret>[\w/-]+)",
        # who knows the path may ping, or post
        rf"//(?:{_PINGED})/(?P<secret>[^\s\"'<>]+)",
        r"/api/push/(?P<secret>[\w-]{8,})",  # Uptime Kuma
        rf"\b(?:{_ALERTED})://(?P<secret>[^\s\"'<>]+)",
        rf"{_VAULT} +(?:-\S+ +){{0,9}}(?P<secret>[^\s;&|<>=-][^\s;&|<>=]*=*)(?![^\s;&|<>])",
        r"\bauthtoken +(?P<secret>[^\s;&|<>-]\S*)",  # ngrok
        # FreeRDP; in quotes as a value, and as a whole
        rf"""(?<=\s)/(?:{_RDP}):(?P<secret>'[^']*'|"[^"]*"|[^\s;&|"']+)""",
        rf"""(?<=["'])/(?:{_RDP}):(?P<secret>[^"']+)""",
        r"(?i:\bidentified by|\bpassword) +'(?P<secret>[^']*)'",  # SQL
        # what echo hands to a program that asks for a password
        rf"{_ECHOED}(?=[^|;&]*(?:sudo -\w*S|-stdin|-fd 0|chpasswd))",
    )
)
# "name": "value" of JSON, in a shell's quotes too; the value is what follows.
PAIR = re.compile(r"""\\?["'](?P<name>[\w.-]+)\\?["']\s*:\s*(?P<quote>\\?["'])?""")
# Name: value, behind a quote or a blank; a scheme of RFC 9110 stays.
HTTP_HEADER = re.compile(
    r"""(?:(?P<quote>["'])|(?P<option>-H *|--header[ =])|(?<=[\s;]))"""
    r"(?P<name>[A-Za-z][\w-]*):(?(quote)\s*|(?(option)\s*|\s+))"
    r"(?:(?i:basic|bearer|token|digest|apikey|key) +)?"
)
SET_WORDS = re.compile(
    r"""\bset +["']?(?P<name>[\w.-]+)["']? +(?P<secret>[^\s;&|]+)"""
)  # aws configure
# The address of an alert or a ping. RFC 3986, 3: of the web's the host is shown, without a login.
ADDRESS = re.compile(
    r"""(?:\bhttps?://(?:[^\s/@"'?#]+(?![^\s/"'?#])[/?#]?)?|\b[A-Za-z][\w+.-]*://)"""
    r"""(?P<secret>[^\s"']*)"""
)
# One whose writer has left out a slash or two.
NEARLY_ADDRESS = re.compile(
    r"""(?<![^\s,"'])(?!mail:|https?:)[A-Za-z][\w+.-]*:(?!//)(?P<secret>[^\s,"']+)"""
)
ADDRESS_NAME = re.compile(r"CRON_(?:PING\w*|ALERTS?)")
PRIVATE_KEY = re.compile(  # RFC 7468
    r"(-----BEGIN [A-Z ]*PRIVATE KEY-----).+?(?=-----END|\Z)", re.DOTALL
)
BARE_VALUE = re.compile(r"""[^\s,;&|}\]"']+""")
OPTION = re.compile(r"--?[A-Za-z][\w-]*")

# One of these is in every text with a secret, in lower case: a quick look, since most have none.
_SIGNS = (
    *("pass", "secret", "token", "cred", "private", "cookie", "key", "auth", "bearer", "webhook"),
    *("connection", "pwd", "://", "identified", "proxy-user", "sudo -", "-stdin", "-fd 0", "/bot"),
    *("dsn", "pat", "pin", "psk", "otp", "cookie", "vault ", "bao ", "/p:", "/gp:", "/pth:"),
    *("ghp_", "gho_", "ghu_", "ghs_", "ghr_", "github_", "glpat-", "xox", "_live_", "sk-", "npm_"),
    *("pypi-", "dop_", "hf_", "aiza", "ya29.", "sg.", "eyj", "akia", "asia"),
)
SECRET_HINTS = frozenset(_SIGNS) | {f"{name.lower()} " for name in TOOLS}


def may_have_secrets(text: str) -> bool:
    """Say whether it is worth a closer look."""
    lowered = text.lower()
    return any(hint in lowered for hint in SECRET_HINTS)


def tool(word: str) -> Tool | None:
    """Return what is known of the program that a word names."""
    return TOOLS.get(word.rpartition("/")[2])
