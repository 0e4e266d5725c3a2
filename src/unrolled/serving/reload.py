"""A model taken in while the server runs: on SIGHUP, or when its folder has changed."""

import asyncio
from pathlib import Path

from unrolled.generations import MODEL, STEM
from unrolled.serving.logs import log, say
from unrolled.serving.service import Service

Stamp = tuple[tuple[str, int, int, int], ...]  # of each file: its name, when it was written, its place, its size


async def reload(service: Service) -> bool:
    """Load the model's folder again and go on with it; the old model stays where that fails.

    Returns:
        Whether the new model answers now.
    """
    from unrolled.tasks.registry import load

    before = service.fingerprint
    try:
        model = await asyncio.to_thread(load, service.settings.model, False)  # it may take longer than a request
        await service.ask(service.take, model)
    except Exception:
        log.exception("reload failed; the old model goes on")
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
    """What changes when a model is written; empty where there is none.

    All files of weights count too: a model that is copied by hand may get them after its JSON, and an older one whose
    files keep their times (`rsync -a`) gets none that is newer than those that were there.
    """
    try:
        found = [(path.name, path.stat()) for path in (folder / MODEL, *sorted(folder.glob(f"{STEM}*")))]
    except OSError:
        return ()
    return tuple((name, file.st_mtime_ns, file.st_ino, file.st_size) for name, file in found)
