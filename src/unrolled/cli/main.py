"""`unrolled`: the commands, and what becomes of an error.

Exit codes: 0 done, 2 the user's input was wrong (one line, no traceback), 130 Ctrl-C, 1 our fault.
"""

import os
import sys
import traceback

import typer

from unrolled.cli import check, evaluate, export, fit, generate, info, inspect, lecture, predict, serve, stream
from unrolled.errors import UnrolledError

DEBUG = "UNROLLED_DEBUG"


def make_app(words: list[str]) -> typer.Typer:
    """The commands; `words` are what the user typed, so that only the task named there is imported."""
    app = typer.Typer(
        name="unrolled",
        help="Sequence models you can see through: fit, compare, predict and write from any sequence.",
        no_args_is_help=True,
        add_completion=False,
        pretty_exceptions_enable=False,
        context_settings={"help_option_names": ["-h", "--help"]},
    )
    chosen = words[1] if words[:1] == ["fit"] and len(words) > 1 else ""
    app.add_typer(fit.fit_app(chosen), name="fit")
    app.command("evaluate")(evaluate.evaluate)
    app.command("predict")(predict.predict)
    app.command("check")(check.check)
    app.command("generate")(generate.generate)
    app.command("stream")(stream.stream)
    app.command("info")(info.info)
    app.command("inspect")(inspect.inspect)
    app.command("export")(export.export)
    app.command("lecture")(lecture.lecture)
    app.command("serve")(serve.serve)
    return app


def main() -> None:
    """Run the command line and leave with its exit code."""
    try:
        make_app(sys.argv[1:])()
    except KeyboardInterrupt:
        _say("stopped by Ctrl-C")
        sys.exit(fit.INTERRUPTED)
    except UnrolledError as fault:
        _say(f"error: {fault}")
        sys.exit(2)
    except MemoryError:
        _say("error: out of memory; lower --hidden-size or --batch-size, or set --bptt-steps")
        sys.exit(2)
    except BrokenPipeError:
        # whoever reads our output has left; Python would complain once more while closing it
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
        sys.exit(0)
    except Exception as fault:
        if os.environ.get(DEBUG):
            traceback.print_exc()
        name = f"{type(fault).__name__}: {str(fault).splitlines()[0] if str(fault) else 'no message'}"
        _say(f"internal error: {name}\nThis is our fault. Run again with {DEBUG}=1 and report what it prints.")
        sys.exit(1)


def _say(text: str) -> None:
    print(text, file=sys.stderr)


if __name__ == "__main__":
    main()
