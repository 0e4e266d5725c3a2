"""`unrolled`: the commands, and how errors are reported.

Exit codes: 0 success, 2 wrong input (one line, no traceback), 130 Ctrl-C, 141 the reader of the output closed it
(no message, as SIGPIPE ends other commands), 1 the output cannot be written, no disk space or memory, or a bug.
"""

import errno
import os
import sys
import traceback
import warnings
from typing import TYPE_CHECKING

from unrolled.cli.output import INTERRUPTED, Interrupted, OutputLost, guard
from unrolled.errors import UnrolledError, reason

if TYPE_CHECKING:
    import typer

DEBUG = "UNROLLED_DEBUG"
# errors of the machine, not of the input
EXHAUSTED = (errno.ENOSPC, errno.EDQUOT, errno.EROFS, errno.EIO, errno.EMFILE, errno.ENFILE, errno.ENOMEM)


def make_app(words: list[str]) -> "typer.Typer":
    """Return the commands; `words` are the command line, so that only the task named there is imported."""
    import typer

    from unrolled.cli import check, evaluate, export, fit, generate, info, inspect, lecture, predict, serve, stream
    from unrolled.cli.commands import Commands
    from unrolled.cli.reader_options import with_reading

    app = typer.Typer(
        name="unrolled",
        help="Sequence modelling with recurrent networks: classification, forecasting, anomaly detection, text "
        "generation, translation, recommendation.",
        cls=Commands,
        no_args_is_help=True,
        add_completion=False,
        pretty_exceptions_enable=False,
        context_settings={"help_option_names": ["-h", "--help"]},
    )
    chosen = words[1] if words[:1] == ["fit"] and len(words) > 1 else ""
    app.add_typer(fit.fit_app(chosen), name="fit")
    app.command("evaluate")(with_reading(evaluate.evaluate, words[:1] == ["evaluate"]))
    app.command("predict")(with_reading(predict.predict, words[:1] == ["predict"]))
    app.command("check")(with_reading(check.check, words[:1] == ["check"]))
    app.command("generate")(generate.generate)
    app.command("stream")(stream.stream)
    app.command("info")(info.info)
    app.command("inspect")(with_reading(inspect.inspect, words[:1] == ["inspect"]))
    app.command("export")(export.export)
    app.command("lecture")(lecture.lecture)
    app.command("serve")(serve.serve_command())
    return app


def main() -> None:
    """Run the command line and exit with its code."""
    guard()
    warnings.showwarning = _show_warning
    try:
        code = _run(sys.argv[1:])
        sys.stdout.flush()
    except OutputLost as lost:
        if not lost.reader_left:
            _say(f"error: standard output: {lost}")
        code = lost.code
    except (KeyboardInterrupt, Interrupted):
        _say("stopped by Ctrl-C")
        code = INTERRUPTED
    sys.exit(code)


def _run(words: list[str]) -> int:
    """Run a command; return its exit code."""
    try:
        make_app(words)()
    except SystemExit as end:
        return end.code if isinstance(end.code, int) else int(end.code is not None)
    except (KeyboardInterrupt, Interrupted, OutputLost):
        raise
    except UnrolledError as fault:
        _say(f"error: {fault}")
        return 2
    except MemoryError:
        _say("error: out of memory; lower --hidden-size or --batch-size, or set --bptt-steps")
        return 2
    except Exception as fault:
        if isinstance(fault, OSError) and fault.errno in EXHAUSTED:
            where = f"{fault.filename}: " if fault.filename else ""
            _say(f"error: {where}{reason(fault)}")
            return 1
        if os.environ.get(DEBUG):
            traceback.print_exc()
        name = f"{type(fault).__name__}: {str(fault).splitlines()[0] if str(fault) else 'no message'}"
        _say(f"internal error: {name}\nThis is a bug in unrolled. Run again with {DEBUG}=1 and report what it prints.")
        return 1
    return 0


def _show_warning(text: Warning | str, *_: object) -> None:
    """Print a warning without the place in the code that gave it."""
    _say(f"warning: {text}")


def _say(text: str) -> None:
    print(text, file=sys.stderr)


if __name__ == "__main__":
    main()
