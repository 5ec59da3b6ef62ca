"""Names of Debian packages in, the crontabs they ship out; nothing is installed.

Run it to look at them: `python tests/debian_crontabs.py [PACKAGE …]`.
"""

from __future__ import annotations

import subprocess
import sys
import tempfile
from pathlib import Path
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator

PACKAGES = (
    "anacron",
    "certbot",
    "cron-daemon-common",
    "e2fsprogs",
    "logcheck",
    "mailman3",
    "mdadm",
    "munin-node",
    "ntpsec",
    "php-common",
    "sysstat",
)


def fetch(packages: Iterable[str], folder: Path) -> None:
    """Download the packages into `folder`; raises CalledProcessError if one is missing.

    Needs the lists that `apt-get update` leaves behind, and no privilege. As root, apt would drop
    its own, and warn because the account it drops to can't write the folder.
    """
    command = ["apt-get", "-q", "-o", "APT::Sandbox::User=root", "download", *packages]
    subprocess.run(command, cwd=folder, check=True, stdout=subprocess.DEVNULL)


def crontabs(folder: Path) -> Iterator[tuple[str, str, bytes]]:
    """Unpack every package in `folder`; yield package, path and bytes of each crontab."""
    for file in sorted(folder.glob("*.deb")):
        package = file.name.partition("_")[0]
        root = folder / package
        subprocess.run(["dpkg-deb", "-x", file, root], check=True)
        # cron itself ignores names with a dot, such as .placeholder.
        found = [*(root / "etc/cron.d").glob("[!.]*"), root / "etc/crontab"]
        for path in sorted(path for path in found if path.is_file()):
            yield package, f"/{path.relative_to(root)}", path.read_bytes()


def main(packages: list[str]) -> None:
    """Print the crontabs of these packages, or of all that the tests read."""
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        fetch(packages or PACKAGES, folder)
        for package, path, data in crontabs(folder):
            sys.stdout.write(f"===== {package}: {path}\n{data.decode()}")


if __name__ == "__main__":
    main(sys.argv[1:])
