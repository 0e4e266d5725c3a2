"""The group of all commands: their order, hints, and Ctrl-C, before typer ends a command without a message."""

from typing import Any

from typer.core import TyperGroup

from unrolled.cli.output import Interrupted


class Commands(TyperGroup):
    """The group of all commands; `KeyboardInterrupt` leaves it as `Interrupted`, which typer does not catch."""

    def list_commands(self, ctx: Any) -> list[str]:
        """Return the names in the order of their use: `fit` first."""
        return sorted(super().list_commands(ctx), key=lambda name: name != "fit")

    def resolve_command(self, ctx: Any, args: list[str]) -> Any:
        """Find a command; the name of a task alone is answered with `fit` before it."""
        from unrolled.cli.fit import KINDS

        if args[0] in KINDS:
            ctx.fail(f"No such command {args[0]!r}. Did you mean 'fit {args[0]}'?")
        return super().resolve_command(ctx, args)

    def invoke(self, ctx: Any) -> Any:
        """Run the chosen command."""
        try:
            return super().invoke(ctx)
        except KeyboardInterrupt as stop:
            raise Interrupted from stop
