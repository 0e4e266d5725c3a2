"""Free memory on every system: with a container's limit, without /proc, and where nothing can be read."""

import builtins
from pathlib import Path

import psutil
import pytest

from unrolled.tasks.classification.classifier import Classifier
from unrolled.tasks.shared import free_memory as module
from unrolled.tasks.shared.free_memory import free_memory

GB = 1 << 30
UNLIMITED = str((1 << 63) - 4096)  # what the older layout says where there is no limit


@pytest.fixture
def machine(tmp_path, monkeypatch):
    """A machine with 8 GB free, whose groups are the files of a folder."""
    available = type("Memory", (), {"available": 8 * GB})
    monkeypatch.setattr(psutil, "virtual_memory", lambda: available)
    monkeypatch.setattr(module, "GROUPS", tmp_path / "groups")
    monkeypatch.setattr(module, "OWN_GROUPS", tmp_path / "own")

    def make(own: str, files: dict[str, str]) -> None:
        (tmp_path / "own").write_text(own, encoding="utf-8")
        for name, content in files.items():
            path = tmp_path / "groups" / name
            path.parent.mkdir(parents=True, exist_ok=True)
            path.write_text(content, encoding="ascii")

    return make


GROUPS = {
    "none": ("", {}, 8 * GB),
    "no limit": ("0::/\n", {"memory.max": "max\n", "memory.current": "7\n"}, 8 * GB),
    "of a container": ("0::/\n", {"memory.max": f"{2 * GB}\n", "memory.current": f"{GB}\n"}, GB),
    "with files that are given back": (
        "0::/\n",
        {
            "memory.max": f"{2 * GB}",
            "memory.current": f"{2 * GB}",
            "memory.stat": f"anon 1\ninactive_file {GB}\nactive_file 5\n",
        },
        GB,
    ),
    "of a service, and a narrower one around it": (
        "0::/system.slice/letters.service\n",
        {
            "system.slice/letters.service/memory.max": f"{4 * GB}",
            "system.slice/letters.service/memory.current": "0",
            "system.slice/memory.max": f"{3 * GB}",
            "system.slice/memory.current": f"{GB}",
        },
        2 * GB,
    ),
    "used up": ("0::/\n", {"memory.max": "100", "memory.current": "200"}, 0),
    "older layout": (
        "5:memory:/docker/abc\n1:cpu:/\n0::/\n",
        {"memory/memory.limit_in_bytes": f"{2 * GB}", "memory/memory.usage_in_bytes": f"{GB}"},
        GB,
    ),
    "older layout without a limit": (
        "5:memory:/\n",
        {"memory/memory.limit_in_bytes": UNLIMITED, "memory/memory.usage_in_bytes": f"{GB}"},
        8 * GB,
    ),
    "more than the machine has": ("0::/\n", {"memory.max": f"{64 * GB}", "memory.current": "0"}, 8 * GB),
    "damaged": ("0:\nnonsense\n0::/\n", {"memory.max": "many", "memory.current": "few"}, 8 * GB),
}


@pytest.mark.parametrize(("own", "files", "free"), GROUPS.values(), ids=GROUPS)
def test_a_limit_of_the_group_counts(machine, own, files, free):
    machine(own, files)
    assert free_memory() == free


@pytest.fixture
def no_proc(monkeypatch):
    """No file of /proc or /sys can be opened, as on macOS and Windows."""
    opened = builtins.open

    def refuse(file, *args, **options):
        if str(file).startswith(("/proc", "/sys")):
            raise FileNotFoundError(2, "No such file or directory", str(file))
        return opened(file, *args, **options)

    read_text = Path.read_text
    monkeypatch.setattr(builtins, "open", refuse)
    monkeypatch.setattr(
        Path,
        "read_text",
        lambda self, *args, **options: (
            refuse(self) if str(self).startswith("/proc") else read_text(self, *args, **options)
        ),
    )


@pytest.mark.usefixtures("no_proc")
def test_a_model_is_fitted_where_there_is_no_proc():
    rows = [{"x": "ab" * (1 + row % 3), "y": str(row % 2)} for row in range(12)]
    fast = {"epochs": 1, "batch_size": 4, "device": "cpu", "precision": "auto"}
    model = Classifier(hidden_size=4, target="y").fit(rows, **fast)
    assert len(model.predict(rows)) == len(rows)


@pytest.mark.parametrize("fault", [OSError("hidden"), RuntimeError("unknown"), NotImplementedError()])
def test_where_nothing_is_known_nothing_is_refused(monkeypatch, tmp_path, fault):
    def cannot():
        raise fault

    monkeypatch.setattr(psutil, "virtual_memory", cannot)
    monkeypatch.setattr(module, "OWN_GROUPS", tmp_path / "none")
    assert free_memory() is None
    model = Classifier(hidden_size=4, target="y")
    model.fit([{"x": "ab", "y": str(row % 2)} for row in range(12)], epochs=1, device="cpu")


def test_the_figure_of_this_machine_is_one():
    free = free_memory()
    assert free is not None
    assert 0 <= free <= psutil.virtual_memory().total
