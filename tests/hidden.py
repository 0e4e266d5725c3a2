"""Packages that look as if they were not installed."""

import sys
from collections.abc import Callable, Iterable, Sequence
from types import ModuleType
from typing import Any

# what each extra of pyproject.toml brings, as modules
EXTRAS = {
    "track": ("tensorboard",),
    "metrics": ("sacrebleu", "rouge_score"),
    "audio": ("soundfile", "soxr"),
    "image": ("PIL",),
    "video": ("av", "PIL"),
    "excel": ("fastexcel",),
    "serve": ("fastapi", "uvicorn", "websockets", "redis", "prometheus_client"),
    "export": ("onnx", "onnxruntime"),
    "holidays": ("holidays",),
    "demo": ("vega_datasets",),
    "bench": ("jax", "keras"),
}
# modules that hold on to one of them, and are imported anew while it is hidden
HOLDERS = ("torch.utils.tensorboard", "unrolled.serving")


class Without:
    """A finder that does not find some modules, and is another one for all else.

    Args:
        finder: the other one.
        modules: top-level names.
    """

    def __init__(self, finder: Any, modules: Iterable[str]) -> None:
        self.finder, self.modules = finder, frozenset(modules)

    def find_spec(self, name: str, path: Sequence[str] | None = None, target: ModuleType | None = None) -> Any:
        return None if name.partition(".")[0] in self.modules else self.finder.find_spec(name, path, target)

    def __getattr__(self, name: str) -> Any:  # what lists the installed packages
        return getattr(self.finder, name)


def hidden(modules: Iterable[str]) -> list[Any]:
    """What `sys.meta_path` is where the modules are not installed."""
    return [Without(finder, modules) for finder in sys.meta_path]


def hider(monkeypatch: Any) -> Callable[..., None]:
    """A function that hides modules until the test ends."""

    def hide(*modules: str) -> None:
        for name in list(sys.modules):
            if name.partition(".")[0] in modules or name.startswith(HOLDERS):
                parent, _, child = name.rpartition(".")
                if parent in sys.modules and child in vars(sys.modules[parent]):  # it has it back afterwards
                    monkeypatch.setattr(sys.modules[parent], child, sys.modules[name])
                monkeypatch.delitem(sys.modules, name)
        monkeypatch.setattr(sys, "meta_path", hidden(modules))

    return hide
