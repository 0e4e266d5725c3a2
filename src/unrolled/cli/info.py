"""`unrolled info`: describe this machine, or a model."""

import json
from typing import Annotated

import typer


def info(
    model: Annotated[str, typer.Argument(help="model folder; without it, this machine is described")] = "",
    as_json: Annotated[bool, typer.Option("--json", help="print what the model reads and answers, as JSON")] = False,
) -> None:
    """Describe this machine and its kernels, or a model and its scores."""
    if as_json:
        from unrolled.errors import OptionError, message
        from unrolled.tasks.registry import load

        if not model:
            raise OptionError(message("--json", expected="a model folder before it", received="none"))
        print(json.dumps(load(model).describe().to_json(), indent=1, ensure_ascii=False))
        return
    if model:
        from unrolled.tasks.shared.saving import card_of

        print(card_of(model))  # a damaged folder is refused, not half shown
        return
    import platform
    from importlib.metadata import version

    import torch

    from unrolled.cells.registry import CELLS, make_cell
    from unrolled.kernels.choose import choose
    from unrolled.kernels.cpu.cache import described
    from unrolled.kernels.cpu.machine import host
    from unrolled.ragged import Ragged

    print(f"unrolled {version('unrolled')}, Python {platform.python_version()}, torch {torch.__version__}")
    threads = torch.get_num_threads()
    print(f"CPU: {torch.backends.cpu.get_cpu_capability()}, {threads} thread{'s' * (threads > 1)}")
    gpu = torch.cuda.get_device_name() if torch.cuda.is_available() else "none that torch can use"
    print(f"GPU: {gpu}")
    print(f"Tiles: {host().name}, vectors of {host().width}; compiled code in {described()}\n")
    print("Kernels for a ragged float32 batch:")
    inputs = Ragged(torch.zeros(3, 8), torch.tensor([1, 2]))
    for name in CELLS:
        chosen = choose(make_cell(name, 8, 8), inputs)
        why = "".join(f"; not {other}: {reason}" for other, reason in chosen.refused.items())
        print(f"  {name:<16} {chosen.name}{why}")
