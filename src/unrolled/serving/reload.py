"""Reloading the model while the server runs: on SIGHUP, or when its folder has changed."""

import asyncio
from pathlib import Path

from unrolled.generations import MODEL, STEM
from unrolled.serving.logs import log, say
from unrolled.serving.service import Service

Stamp = tuple[tuple[str, int, int, int], ...]  # of each file: its name, modification time, inode and size


async def reload(service: Service) -> bool:
    """Load the model's folder again and serve the new model; keep the old one if that fails.

    Returns:
        Whether the new model is served now.
    """
    from unrolled.tasks.registry import load

    before = service.fingerprint
    try:
        model = await asyncio.to_thread(load, service.settings.model, False)  # it may take longer than a request
        await service.look(service.take, model)
    except Exception:
        log.exception("reload failed; the old model is kept")
        service.metrics.reloads.labels("failed").inc()
        return False
    service.metrics.reloads.labels("done").inc()
    say("reload", task=type(model).__name__, fingerprint=service.fingerprint, kept=service.fingerprint == before)
    return True


async def watch(service: Service) -> None:
    """Reload whenever the folder has changed."""
    folder, seconds = Path(service.settings.model), service.settings.reload_every
    known = stamp_of(folder)
    while seconds:
        await asyncio.sleep(seconds)
        now = stamp_of(folder)
        if now and now != known:
            known = now
            await reload(service)


def stamp_of(folder: Path) -> Stamp:
    """Return a value that changes when a model is written; empty where there is no model.

    Files of weights count too: a model copied by hand may get them after its JSON. So do inodes and sizes: an older
    model copied with its times (`rsync -a`) brings no newer modification time.
    """
    try:
        found = [(path.name, path.stat()) for path in (folder / MODEL, *sorted(folder.glob(f"{STEM}*")))]
    except OSError:
        return ()
    return tuple((name, file.st_mtime_ns, file.st_ino, file.st_size) for name, file in found)
