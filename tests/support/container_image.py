"""The image of docs/container/Dockerfile, built by buildah, and containers that run it.

Its base, debian:bookworm-slim, is played by the Debian that `debian_root` makes: no registry can be
asked. A container is the image's command as its first process, in namespaces of its own, without a
network, without any capability, its root read-only: what `docker run` would make of it.
"""

from __future__ import annotations

import json
import os
import shutil
import signal
import subprocess
from contextlib import contextmanager, suppress
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

import debian_root
import sources
from programs import program
from real_daemon import Process, now

if TYPE_CHECKING:
    from collections.abc import Iterator

BASE = "docker.io/library/debian:bookworm-slim"
TAG = "localhost/meridian-test"
PIP = f"[global]\nno-index = true\nfind-links = {debian_root.WHEELS}\n"  # as the base has them
_INSIDE = ("-m", "-p", "-n", "-i", "-u")
_MOUNTS = """
mount --bind "$ROOT" "$ROOT" && mount -o remount,bind,ro "$ROOT"
mount -t proc -o nosuid,noexec,nodev proc "$ROOT/proc"
mount -t tmpfs -o mode=1777 tmpfs "$ROOT/tmp"
mount -t tmpfs -o mode=755 tmpfs "$ROOT/dev"
for each in null zero random urandom; do
  : >"$ROOT/dev/$each" && mount --bind "/dev/$each" "$ROOT/dev/$each"
done
mount --bind "$STATE" "$ROOT/state"
mount --bind "$CRONTAB" "$ROOT/crontab" && mount -o remount,bind,ro "$ROOT/crontab"
exec chroot "$ROOT" "$@"
"""


@dataclass(frozen=True)
class Image:
    """What was built: its files, and what it says of how it is run."""

    root: Path
    config: dict[str, Any]

    @property
    def command(self) -> list[str]:
        return [*self.config["Entrypoint"], *self.config["Cmd"]]

    @property
    def health(self) -> str:
        kind, script = self.config["Healthcheck"]["Test"]
        assert kind == "CMD-SHELL"
        return str(script)


@dataclass(frozen=True)
class Container:
    """One that runs. `process` is its outer process, with its log; `first` its own PID 1."""

    image: Image
    process: Process
    words: tuple[str, ...]
    output: Path

    @property
    def first(self) -> int:
        pid = self.process.popen.pid
        return int(Path(f"/proc/{pid}/task/{pid}/children").read_text().split()[0])

    def run(self, *words: str) -> subprocess.CompletedProcess[str]:
        """What `docker exec` would make of a command."""
        inside = (program("nsenter"), "-t", str(self.first), *_INSIDE, f"--root=/proc/{self.first}/root", "--wd=/")  # fmt: skip
        command = (*inside, *self.words, *words)
        return subprocess.run(command, capture_output=True, text=True, check=False, timeout=60)

    def stop(self, number: int) -> int:
        """Signal its first process, and return its exit status."""
        os.kill(self.first, number)
        return self.process.popen.wait(timeout=60)


@contextmanager
def built(folder: Path) -> Iterator[Image]:
    """The image, gone at the end with all that buildah made."""
    buildah = Buildah(folder / "store")
    try:
        _make_base(buildah)
        source = sources.copy(folder / "source")
        dockerfile = str(source / "docs/container/Dockerfile")
        buildah.do("bud", "--pull-never", "--format", "docker", "-f", dockerfile, "-t", TAG, str(source))  # fmt: skip
        config = json.loads(buildah.do("inspect", "--type", "image", TAG))["Docker"]["config"]
        made = buildah.do("from", "--pull-never", TAG)
        root = Path(buildah.do("mount", made))
        (root / "crontab").touch()  # as the runtime makes it for what is mounted there
        yield Image(root, config)
    finally:
        buildah.do("umount", "--all")
        buildah.do("rm", "--all")
        buildah.do("rmi", "--all", "--force")
        shutil.rmtree(folder / "store", ignore_errors=True)


class Buildah:
    """buildah with a store of its own, its steps in a chroot: it needs no daemon and no cgroups."""

    def __init__(self, store: Path) -> None:
        self._words = (program("buildah"), "--root", str(store / "root"), "--runroot", str(store / "run"))  # fmt: skip
        self._environ = {**os.environ, "STORAGE_DRIVER": "overlay", "BUILDAH_ISOLATION": "chroot"}

    def do(self, *words: str) -> str:
        done = subprocess.run(
            (*self._words, *words), env=self._environ, capture_output=True, text=True, check=False
        )
        assert done.returncode == 0, f"{words}\n{done.stdout[-3000:]}\n{done.stderr[-3000:]}"
        return done.stdout.strip()


def _make_base(buildah: Buildah) -> None:
    made = buildah.do("from", "scratch")
    root = buildah.do("mount", made)
    subprocess.run(("cp", "-a", f"{debian_root.with_dependencies()}/.", root), check=True)
    Path(root, "etc/pip.conf").write_text(PIP)
    buildah.do("umount", made)
    buildah.do("commit", "--quiet", made, BASE)
    buildah.do("rm", made)


@contextmanager
def running(
    image: Image, folder: Path, crontab: str, *, user: str | None = None, **environ: str
) -> Iterator[Container]:
    """A container of an image, as this user (the image's own by default), gone at the end.

    `folder/state` is its volume, and outlives it.
    """
    state, table, output = folder / "state", folder / "crontab", folder / "output"
    state.mkdir(exist_ok=True)
    state.chmod(image.root.joinpath("state").stat().st_mode & 0o7777)  # as a new volume begins
    table.write_text(crontab)
    table.chmod(0o644)
    uid, _, gid = (user or image.config["User"]).partition(":")
    variables = [*image.config["Env"], *(f"{name}={text}" for name, text in environ.items())]
    words = (
        *("setpriv", f"--reuid={uid}", f"--regid={gid or uid}", "--clear-groups"),
        *("--bounding-set=-all", "--inh-caps=-all", "--no-new-privs", "env", "-i", *variables),
    )
    outer = (program("unshare"), "--pid", "--fork", "--kill-child", "--mount", "--uts", "--ipc", "--net")  # fmt: skip
    command = (*outer, "/bin/sh", "-ec", _MOUNTS, "sh", *words, *image.command)
    paths = {"ROOT": str(image.root), "STATE": str(state), "CRONTAB": str(table)}
    with (folder / "log").open("ab") as log, output.open("ab") as out:
        popen = subprocess.Popen(command, env={**os.environ, **paths}, stdout=out, stderr=log)
    container = Container(image, Process(popen, folder / "log", now()), words, output)
    try:
        yield container
    finally:
        # --kill-child is forgotten when its user changes: prctl(2), PR_SET_PDEATHSIG.
        with suppress(OSError, IndexError):
            os.kill(container.first, signal.SIGKILL)
        popen.kill()
        popen.wait()
