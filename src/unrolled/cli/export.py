"""`unrolled export MODEL --out PATH`: a model for a runtime without torch."""

from typing import Annotated

import typer


def export(
    model: Annotated[str, typer.Argument(help="model folder")],
    out: Annotated[str, typer.Option(help="file to write, such as model.onnx; with numpy, a folder")],
    format: Annotated[str, typer.Option(help="onnx, or numpy for a folder that needs only NumPy")] = "onnx",
) -> None:
    """Export a model with its state as input and output: an ONNX file, or a folder that needs only NumPy."""
    from unrolled.errors import OptionError
    from unrolled.places import local_path
    from unrolled.tasks.registry import load

    local_path(out, "--out", OptionError)
    path = load(model).export(out, format)
    print(f"written: {path}")
