"""Write `requirements-hashes.txt`: the pins of `constraints.txt`, each with the hashes of all its files.

    python tools/hashes.py          write it, by asking the package index; `make lock` does

torch is left out: its builds for processors and for each CUDA come from indexes of their own, with hashes of their own.
"""

from pins import ROOT, write_pins

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
    write_pins(HASHES, HEAD, pins, "--no-deps", "--generate-hashes", "--universal")


if __name__ == "__main__":
    main()
