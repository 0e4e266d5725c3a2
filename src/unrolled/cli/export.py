"""`unrolled export MODEL --out PATH`: a model for a runtime without torch."""

from typing import Annotated

import typer


def export(
    model: Annotated[str, typer.Argument(help="model folder")],
    out: Annotated[str, typer.Option(help="the file to write, such as model.onnx; for numpy a folder")],
    format: Annotated[
        str, typer.Option(help="onnx, or numpy for a folder with one file that needs NumPy only")
    ] = "onnx",
) -> None:
    """Write a model with its state as inputs and outputs: an ONNX file, or a folder that NumPy alone runs."""
    from unrolled.errors import OptionError
    from unrolled.places import local_path
    from unrolled.tasks.registry import load

    local_path(out, "--out", OptionError)
    path = load(model).export(out, format)
    print(f"written: {path}")
