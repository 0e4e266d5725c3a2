"""Handle Ctrl-C in any command, before typer ends the command without a message."""

from typing import Any

from typer.core import TyperGroup

from unrolled.cli.output import Interrupted


class Commands(TyperGroup):
    """The group of all commands; `KeyboardInterrupt` leaves it as `Interrupted`, which typer does not catch."""

    def invoke(self, ctx: Any) -> Any:
        """Run the chosen command."""
        try:
            return super().invoke(ctx)
        except KeyboardInterrupt as stop:
            raise Interrupted from stop
