"""Print what a bill of materials is made of: each package that `unrolled` and its extras run with, pinned and hashed.

    python tools/sbom.py | cyclonedx-py requirements - --pyproject pyproject.toml      `make sbom` does

Run by the Python of `.venv`, whose installed packages say what they need themselves.
"""

import re
from importlib.metadata import PackageNotFoundError, requires, version
from pathlib import Path

from packaging.requirements import Requirement
from packaging.utils import canonicalize_name

ROOT = Path(__file__).resolve().parents[1]
# without "holidays", which wants an older python-dateutil than the pins of everything else
EXTRAS = ("track", "metrics", "audio", "image", "video", "excel", "serve", "export", "demo")


def needed(package: str, extras: tuple[str, ...], found: set[str]) -> set[str]:
    """Return the names of all that a package needs, and what those need."""
    try:
        named = [Requirement(text) for text in requires(package) or []]
    except PackageNotFoundError:
        return found  # for another platform
    for one in named:
        name = canonicalize_name(one.name)
        if name not in found and any(
            one.marker is None or one.marker.evaluate({"extra": extra}) for extra in ("", *extras)
        ):
            found.add(name)
            needed(name, tuple(one.extras), found)
    return found


def main() -> None:
    """Print the pinned lines, with hashes where they are known."""
    names = needed("unrolled", EXTRAS, set())
    pins = [
        line
        for line in (ROOT / "constraints.txt").read_text(encoding="utf-8").splitlines()
        if line.startswith("torch==")
    ]
    text = (ROOT / "requirements-hashes.txt").read_text(encoding="utf-8").replace("\\\n", " ")
    entries = pins + [line for line in text.splitlines() if line and not line.startswith(("#", " "))]
    chosen = [entry for entry in entries if canonicalize_name(re.split("==", entry)[0]) in names]
    missing = names - {canonicalize_name(re.split("==", entry)[0]) for entry in chosen}
    chosen += [
        f"{name}=={version(name)}" for name in sorted(missing)
    ]  # what Python's own tools bring, such as setuptools
    print("\n".join(chosen))


if __name__ == "__main__":
    main()
