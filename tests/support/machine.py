"""A machine of its own for a test: Linux as a process (user-mode-linux), with systemd, on this disk.

    machine = Machine(tmp_path, {"system/meridian.service": text})
    seen = machine.boot("/usr/bin/python3 /mnt/probe.py")

It has what this machine may lack: control groups of version 2 with a memory controller. Its root is
this machine's, read-only; what is written goes to memory and is gone, but for `say` lines.
"""

from __future__ import annotations

import json
import os
import signal
import subprocess
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path
from typing import IO, TYPE_CHECKING, Any

from programs import program

if TYPE_CHECKING:
    from collections.abc import Mapping

KERNEL = "linux.uml"
MARK = "PROBE "  # in front of what a probe has to say
MEMORY = "512M"
PATIENCE_S = 240
REGISTERS = Path(__file__).with_name("wide_registers.c")

INIT = """#!/bin/sh
mount -t proc proc /proc
mount -t sysfs sysfs /sys
for folder in /run /var/lib; do mount -t tmpfs tmpfs $folder; done
mkdir -p /run/systemd/system
mount -t hostfs none /mnt -o {folder}
cp -r /mnt/units/* /run/systemd
exec /lib/systemd/systemd --unit=probe.service systemd.log_target=console
"""
PROBE = """
[Unit]
DefaultDependencies=no
FailureAction=poweroff-force
SuccessAction=poweroff-force

[Service]
Type=oneshot
ExecStart={command}
Environment=PYTHONPATH={support}
StandardOutput=tty
StandardError=tty
TTYPath=/dev/console
"""


@dataclass
class Machine:
    """What is booted: its units by path (`system/a.service`), and a folder that is `/mnt` there."""

    folder: Path
    units: Mapping[str, str]

    def boot(self, command: str) -> list[dict[str, Any]]:
        """Run a command as root under systemd, and return the objects that it says."""
        kernel = program(KERNEL)
        for name, text in {
            **self.units,
            "system/probe.service": PROBE.format(command=command, support=Path(__file__).parent),
        }.items():
            path = self.folder / "units" / name
            path.parent.mkdir(parents=True, exist_ok=True)
            path.write_text(text)
        init = self.folder / "init"
        init.write_text(INIT.format(folder=self.folder))
        init.chmod(0o755)
        words = [
            kernel,
            f"mem={MEMORY}",
            "root=/dev/root",
            "rootfstype=hostfs",
            "rootflags=/",
            "ro",
        ]
        words += [f"init={init}", "con=null", "con0=fd:0,fd:1", f"uml_dir={self.folder}"]
        console = self.folder / "console"
        with console.open("wb") as output, self._started(words, output) as machine:
            try:
                machine.wait(PATIENCE_S)
            finally:
                with suppress(ProcessLookupError):
                    os.killpg(machine.pid, signal.SIGKILL)
        lines = console.read_text(errors="replace").splitlines()
        said = [line.partition(MARK)[2] for line in lines if MARK in line]
        assert said, "\n".join(lines[-40:])
        return [json.loads(line) for line in said]

    def _started(self, words: list[str], output: IO[bytes]) -> subprocess.Popen[bytes]:
        folders = {"TMPDIR": str(self.folder), "HOME": str(self.folder)}
        return subprocess.Popen(
            words,
            env=folders | {"PATH": "/usr/sbin:/usr/bin", "LD_PRELOAD": self._registers()},
            stdin=subprocess.DEVNULL,
            stdout=output,
            stderr=output,
            start_new_session=True,
        )

    def _registers(self) -> str:
        """Compile what lets the kernel run on a processor that is newer than it; see the source."""
        library = self.folder / "wide_registers.so"
        words = [program("gcc"), "-shared", "-fPIC", "-o", str(library), str(REGISTERS), "-ldl"]
        subprocess.run(words, check=True)
        return str(library)
