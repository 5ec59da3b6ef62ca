"""Stand-ins for a Mac's programs: shell texts that are found before the real ones."""

from __future__ import annotations

from typing import TYPE_CHECKING, Protocol

if TYPE_CHECKING:
    from pathlib import Path


class Mac(Protocol):
    """Installs an osascript and others; returns an environment that finds them."""

    def __call__(self, osascript: str = "", **others: str) -> dict[str, str]: ...


def install(folder: Path, programs: dict[str, str]) -> dict[str, str]:
    """Write each program as a shell script; `$DIR` is the folder they may write to."""
    found = folder / "bin"
    found.mkdir(exist_ok=True)
    for name, shell in programs.items():
        (found / name).write_text(f"#!/bin/sh\n{shell}\n")
        (found / name).chmod(0o755)
    return {"PATH": f"{found}:/usr/bin:/bin", "DIR": str(folder)}
