"""The forms in which commands carry secrets, as data: programs with their options, and shapes.

From the manuals of the programs named here. What a form hides is `mask`'s.
"""

from __future__ import annotations

import re
from typing import TYPE_CHECKING, NamedTuple

if TYPE_CHECKING:
    from collections.abc import Mapping


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


def tool(word: str) -> Tool | None:
    """Return what is known of the program that a word names."""
    return TOOLS.get(word.rpartition("/")[2])
