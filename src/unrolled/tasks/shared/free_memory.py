"""Memory that this process may still use: the machine's, or less where a container or a service is limited.

Linux gives a group of processes a limit of its own (a cgroup), which the machine's figures do not show. Both layouts
of these files are read, from the group of this process up to the root; other systems have no such files.
"""

from collections.abc import Iterator
from contextlib import suppress
from pathlib import Path

import psutil

GROUPS = Path("/sys/fs/cgroup")
OWN_GROUPS = Path("/proc/self/cgroup")
# limit, use, and cache that the kernel frees before it refuses: of the unified layout, and of the older one
UNIFIED = ("memory.max", "memory.current", "inactive_file")
OLDER = ("memory.limit_in_bytes", "memory.usage_in_bytes", "total_inactive_file")


def free_memory() -> int | None:
    """Return the bytes that can be allocated now without swapping; None if the system does not report them."""
    known = [free for folder, names in _groups() if (free := _left(folder, names)) is not None]
    with suppress(OSError, RuntimeError, ValueError, NotImplementedError):  # psutil reads files that may be hidden
        known.append(int(psutil.virtual_memory().available))
    return min(known, default=None)


def _groups() -> Iterator[tuple[Path, tuple[str, str, str]]]:
    """Yield the folders of this process's group and of its parents, with the names of their files."""
    try:
        lines = OWN_GROUPS.read_text(encoding="utf-8").splitlines()
    except (OSError, ValueError):
        lines = []
    for line in lines:
        _, _, rest = line.partition(":")
        controllers, _, path = rest.partition(":")
        if controllers in ("", "memory"):
            root, names = (GROUPS / controllers, OLDER) if controllers else (GROUPS, UNIFIED)
            inner = Path(path.lstrip("/"))
            for folder in (inner, *inner.parents):  # the last one is ".", the root, which is a container's own group
                yield root / folder, names


def _left(folder: Path, names: tuple[str, str, str]) -> int | None:
    """Return the bytes left below a group's limit; None without a limit."""
    limit_name, used_name, given_back = names
    try:
        limit = int((folder / limit_name).read_text(encoding="ascii"))
        used = int((folder / used_name).read_text(encoding="ascii"))
    except (OSError, ValueError):  # no such group here, or "max"
        return None
    with suppress(OSError, ValueError):
        pairs = (line.split() for line in (folder / "memory.stat").read_text(encoding="ascii").splitlines())
        used -= next((int(pair[1]) for pair in pairs if len(pair) == 2 and pair[0] == given_back), 0)
    return max(0, limit - used)
