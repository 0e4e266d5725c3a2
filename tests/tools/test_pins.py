"""What is installed is what was checked: pins, their hashes, the lowest versions and the bill of materials agree."""

import re
import subprocess
import sys
import tomllib
from pathlib import Path

ROOT = Path(__file__).parents[2]
PIN = re.compile(r"^([A-Za-z0-9._-]+)==([^\s;\\]+)", re.MULTILINE)
PROJECT = tomllib.loads((ROOT / "pyproject.toml").read_text(encoding="utf-8"))["project"]


def pins(name: str) -> dict[str, str]:
    found = PIN.findall((ROOT / name).read_text(encoding="utf-8"))
    return {re.sub(r"[-_.]+", "-", package).lower(): version for package, version in found}


def test_every_pin_has_its_hashes() -> None:
    text = (ROOT / "requirements-hashes.txt").read_text(encoding="utf-8")
    wanted = pins("constraints.txt")
    del wanted["torch"]  # each of its builds has hashes of its own
    assert pins("requirements-hashes.txt") == wanted, "run `make lock`"
    entries = text.replace("\\\n", " ").splitlines()
    hashes = [re.findall(r"--hash=sha256:([0-9a-f]{64})\b", line) for line in entries if PIN.match(line)]
    assert len(hashes) == len(wanted)
    assert all(hashes)
    assert "://" not in text


def test_the_lowest_versions_are_the_lower_bounds() -> None:
    lowest = pins("constraints-lowest.txt")
    extras = PROJECT["optional-dependencies"]
    named = [one for name, extra in extras.items() if name not in ("dev", "bench", "holidays") for one in extra]
    checked = 0
    for one in {*PROJECT["dependencies"], *named}:
        package, bound = re.match(r"([A-Za-z0-9_-]+)(?:\[\w+\])?>=([\d.]+)", one).groups()
        name = re.sub(r"[-_.]+", "-", package).lower()
        if name != "torch":
            parts = lowest[name].split(".")
            assert ".".join(parts[: bound.count(".") + 1]) == bound, f"{one}: run `make lowest`"
            checked += 1
    assert checked > 20
    assert "torch" not in lowest


def test_the_bounds_of_a_package_are_the_same_wherever_it_is_named() -> None:
    groups = [PROJECT["dependencies"], *PROJECT["optional-dependencies"].values()]
    bounds: dict[str, set[str]] = {}
    for one in (one for group in groups for one in group):
        package, _, bound = one.partition(">=")
        bounds.setdefault(package.partition("[")[0], set()).add(bound)
    assert {name: found for name, found in bounds.items() if len(found) > 1} == {}


def test_the_bill_of_materials_names_what_the_package_runs_with_and_its_hashes() -> None:
    done = subprocess.run([sys.executable, ROOT / "tools/sbom.py"], capture_output=True, text=True, check=True)
    found = {line.partition("==")[0].lower(): line for line in done.stdout.splitlines()}
    assert {"torch", "numpy", "polars", "fastapi", "websockets", "safetensors", "starlette", "pillow"} <= set(found)
    assert not {"pytest", "hypothesis", "ruff", "pyright"} & set(found)
    hashed = set(pins("requirements-hashes.txt"))  # what is not pinned is what Python's own tools bring
    lines = {re.sub(r"[-_.]+", "-", name): line for name, line in found.items()}
    assert all("--hash=sha256:" in line for name, line in lines.items() if name in hashed)
    assert len(hashed & set(lines)) > 50
