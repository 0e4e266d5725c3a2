"""Write `requirements-hashes.txt`: the pins of `constraints.txt`, each with the hashes of all its files.

    python tools/hashes.py          write it, by asking the package index; `make lock` does

torch is left out: its builds for processors and for each CUDA come from indexes of their own, with hashes of their own.
"""

import subprocess
import sys
from pathlib import Path

ROOT = Path(__file__).resolve().parents[1]
PINS, HASHES = ROOT / "constraints.txt", ROOT / "requirements-hashes.txt"
HEAD = """\
# Made by `make lock` from constraints.txt; do not edit. Every file of every pin has its SHA-256 here.
# First install torch (the pin is in constraints.txt) from the index of the build that you want, then:
#   pip install --require-hashes -r requirements-hashes.txt
#   pip install --no-deps unrolled
"""


def main() -> None:
    """Ask for the hashes of each pin, and write them whole or not at all."""
    pins = [line for line in PINS.read_text(encoding="utf-8").splitlines() if not line.startswith("torch==")]
    command = [str(Path(sys.executable).with_name("uv")), "pip", "compile", "-", "--no-deps", "--generate-hashes",
               "--universal", "--no-header", "--no-annotate", "--python-version", "3.11", "--quiet"]  # fmt: skip
    done = subprocess.run(command, input="\n".join(pins), capture_output=True, text=True, check=False, cwd=ROOT)
    if done.returncode:
        sys.exit(done.stderr)
    new = HASHES.with_suffix(".new")
    new.write_text(HEAD + done.stdout, encoding="utf-8")
    new.replace(HASHES)


if __name__ == "__main__":
    main()
