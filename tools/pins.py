"""Resolve requirements with uv, and write the result whole or not at all."""

import subprocess
import sys
from collections.abc import Iterable
from pathlib import Path

ROOT = Path(__file__).resolve().parents[1]


def write_pins(file: Path, head: str, requirements: Iterable[str], *options: str) -> None:
    """Ask the package index for what meets the requirements, and write it below a head.

    Args:
        file: to write; it stays as it was where something fails.
        head: comments that come first.
        requirements: names with their bounds.
        options: of `uv pip compile`, beside those that all files share.
    """
    command = [str(Path(sys.executable).with_name("uv")), "pip", "compile", "-", "--no-header", "--no-annotate",
               "--python-version", "3.11", "--quiet", *options]  # fmt: skip
    done = subprocess.run(command, input="\n".join(requirements), capture_output=True, text=True, check=False, cwd=ROOT)
    if done.returncode:
        sys.exit(done.stderr)
    new = file.with_suffix(".new")
    new.write_text(head + done.stdout, encoding="utf-8")
    new.replace(file)
