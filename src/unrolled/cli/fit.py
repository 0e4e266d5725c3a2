"""`unrolled fit TASK DATA`: train a model, compare it with baselines and save it."""

import inspect
import sys
from collections.abc import Callable
from dataclasses import asdict
from typing import Annotated, Any, NamedTuple

import typer

from unrolled.cli.arguments import CommandOption, arguments_of, parse
from unrolled.cli.columns import FLAGS, MEDIA, codecs_from
from unrolled.cli.config import read_config, write_config
from unrolled.cli.formats import reader_options
from unrolled.cli.notes import on_lines
from unrolled.cli.output import INTERRUPTED
from unrolled.cli.reader_options import FORM, option_parameter, parameter, parsed, reading_parameters
from unrolled.cli.reading import read_data
from unrolled.errors import OptionError, listed, message


class FitCommand(NamedTuple):
    """One task on the command line.

    Args:
        task: class name in `unrolled.tasks.registry.TASKS`.
        text: one line of help.
        flags: its column flags.
        own: further options: name to help text.
        leave_out: constructor arguments that the flags stand for.
    """

    task: str
    text: str
    flags: tuple[str, ...]
    own: dict[str, str]
    leave_out: tuple[str, ...]


ALL_FLAGS = tuple(FLAGS)
STEP_FLAGS = tuple(flag for flag in FLAGS if flag not in MEDIA)
KINDS = {
    "classify": FitCommand(
        "Classifier",
        "Classification: one label per sequence of text, numbers, DNA, audio or mixed columns.",
        ALL_FLAGS,
        {
            "label": "the label column",
            "labels": "a column of lists of labels, any number per sequence",
            "image_dir": "folder of the files of --image and --video",
            "image_size": "pixels per side to which pictures and videos are resized (default: 64; videos 32)",
        },
        ("inputs", "target"),
    ),
    "tag": FitCommand(
        "Tagger",
        "Tagging: one label per step, such as the part of speech of every word.",
        STEP_FLAGS,
        {"label": "the column of lists of labels"},
        ("inputs", "target"),
    ),
    "forecast": FitCommand("Forecaster", "Forecasting: the next steps of one or many time series.", (), {}, ()),
    "detect": FitCommand("Detector", "Anomaly detection in time series, or in sequences of events.", (), {}, ()),
    "language": FitCommand(
        "LanguageModel",
        "Language modelling and text generation, by characters, words or subwords.",
        (),
        {"given": "columns that condition each text, separated by commas"},
        ("given",),
    ),
    "recommend": FitCommand(
        "Recommender",
        "Next-item recommendation for each user of an event log: products, pages, songs.",
        (),
        {
            "features": "further columns of the events to read, separated by commas",
            "item_features": "columns that describe the items, separated by commas",
        },
        ("features", "item_features"),
    ),
    "next-place": FitCommand(
        "NextPlace",
        "Next-place prediction for each user, from a log of visits or of stays with latitude and longitude.",
        (),
        {"features": "further columns of the visits to read, separated by commas"},
        ("features",),
    ),
    "sequence": FitCommand(
        "SequenceModel",
        "Models of sequences of vectors, such as piano rolls, or pen strokes to generate new ones.",
        (),
        {},
        (),
    ),
    "translate": FitCommand("Translator", "Text to text: translation, summaries, sums, spelling.", (), {}, ()),
    "caption": FitCommand(
        "Captioner",
        "Image captioning: one sentence per picture.",
        (),
        {
            "image_dir": "folder of the pictures",
            "image_size": "pixels per side to which pictures are resized (default: 64)",
        },
        (),
    ),
}
LISTED = ("given", "features", "item_features")  # lists of columns, separated by commas on the command line
NO_LABELS = "evaluate the model on rows with a label column of 0 and 1"
TOO_FEW = "no part of the data was held out, or it is too small; evaluate the model on other data"


def fit_app(chosen: str) -> typer.Typer:
    """Return the group of tasks. Only the chosen one gets its options, since reading them imports torch."""
    app = typer.Typer(help="Train a model on data, compare it with baselines, and save it.", no_args_is_help=True)
    for name, kind in KINDS.items():
        function = _command(name, kind) if name == chosen else _nothing
        app.command(name, help=kind.text)(function)
    return app


def _nothing() -> None:
    """Do nothing: the function of a task that was not chosen."""


def _command(name: str, kind: FitCommand) -> Callable[..., None]:
    """Return a function whose signature has every option of the task and of training, for typer."""
    from unrolled.tasks.registry import task_class
    from unrolled.training.options import TrainingOptions

    task = task_class(kind.task)
    model = [_in_own_words(argument) for argument in arguments_of(task, ("training", *kind.leave_out))]
    training = [argument._replace(default=task.training_defaults.get(argument.name, argument.default))
                for argument in arguments_of(TrainingOptions)]  # fmt: skip
    rival = CommandOption(
        "rival", bool, bool, False, "also train a convolutional network of the same size for comparison"
    )
    columns = {flag: FLAGS[flag] for flag in kind.flags} | kind.own
    parameters = [
        parameter("data", Annotated[str | None, typer.Argument(help="file or folder with the training data")]),
        parameter("out", Annotated[str | None, typer.Option("--out", "-o", help="model folder to write")]),
        parameter("config", Annotated[str | None, typer.Option(help="TOML file with any of these options")]),
        *(option_parameter(CommandOption(flag, str, str, None, text), "Columns") for flag, text in columns.items()),
        # some tasks have one of these flags among their own options
        *reading_parameters({*columns, *(argument.name for argument in [*model, *training])}),
        *(option_parameter(argument, "Model") for argument in model),
        *(option_parameter(argument, "Training") for argument in [*training, rival]),
    ]
    run = _runner(name, kind, task, {argument.name: argument for argument in (*model, *training, rival)})
    run.__signature__ = inspect.Signature(parameters)
    run.__annotations__ = {parameter.name: parameter.annotation for parameter in parameters}
    return run


def _in_own_words(argument: CommandOption) -> CommandOption:
    """Return an argument whose text names no parts of the Python package."""
    from unrolled.cells.registry import CELLS

    text = argument.text.replace("a name in `unrolled.cells.registry.CELLS`", ", ".join(CELLS))
    return argument._replace(text=text.replace("`unrolled.nn.stack.Stack`", "the recurrent layers"))


def _runner(name: str, kind: FitCommand, task: Any, known: dict[str, CommandOption]) -> Callable[..., None]:
    plain = ["data", "out", *kind.flags, *kind.own, FORM, *reader_options()]
    mappings = [argument.name for argument in known.values() if argument.kind is dict]

    def run(config: str | None, **given: str | bool | None) -> None:
        typed = {key: value for key, value in given.items() if value is not None}
        values: dict[str, Any] = read_config(config, [*plain, *known], mappings, name) if config else {}
        values |= {
            key: parse(known[key], text) if key in known and isinstance(text, str) else text
            for key, text in typed.items()
        }
        if not values.get("data"):
            raise OptionError(message("DATA", expected="a file or folder with the training data", received="nothing"))
        if not values.get("out"):
            raise OptionError(
                message("--out", expected="a folder for the model", received="nothing", remedy="add --out my-model")
            )
        _fit_and_save(name, kind, task, known, values)

    return run


def _fit_and_save(
    name: str, kind: FitCommand, task: Any, known: dict[str, CommandOption], values: dict[str, Any]
) -> None:
    from unrolled.artifacts import refuse_foreign
    from unrolled.training.options import TrainingOptions

    refuse_foreign(values["out"])
    taken = {*known, *kind.flags, *kind.own}
    reading = {
        "form": values.get(FORM) or ("conll" if name == "tag" and _is_tokens(values["data"]) else "auto"),
        **parsed({flag: values.get(flag) for flag in reader_options() if flag not in taken}),
    }
    source = read_data(values["data"], **reading)
    training_names = {argument.name for argument in arguments_of(TrainingOptions)}
    arguments = {key: value for key, value in values.items() if key in known and key not in {*training_names, "rival"}}
    training = {key: value for key, value in values.items() if key in training_names}
    if isinstance(training.get("clip_band"), list):
        training["clip_band"] = tuple(training["clip_band"])
    model = task(**arguments | _columns(name, kind, values, source))
    settings = {"progress": sys.stderr.isatty(), **training}

    def save() -> str:
        model.reading_ = reading
        model.config_ = write_config({"command": name, **values, **_resolved(model, settings)})
        return str(model.save(values["out"]))

    try:
        model.fit(source, rival=bool(values.get("rival", False)), **settings)
    except BaseException:
        if "scores_" in vars(model):  # a step after the training failed, or was stopped
            print(f"saved without all of its scores: {save()}", file=sys.stderr)
        raise
    folder = save()
    _report(model, folder)
    if model.history_.interrupted:
        raise typer.Exit(INTERRUPTED)


def _columns(name: str, kind: FitCommand, values: dict[str, Any], source: Any) -> dict[str, Any]:
    """Return constructor arguments from the column flags."""
    from unrolled.codecs.tables.labels import MultiLabels

    flags = {flag: values[flag] for flag in kind.flags if values.get(flag)}
    if name == "caption":
        return _picture(values)
    media = _media(values)
    if media and not {"image", "video"} & set(flags):
        flag = "--image-dir" if "folder" in media else "--image-size"
        raise OptionError(message(flag, expected="--image or --video together with it", received="neither"))
    chosen = codecs_from(flags, media)
    if name == "language":
        return {"given": _between_commas(values.get("given"))}
    if name in ("recommend", "next-place"):
        return _events(name, kind, values, source)
    if name not in ("classify", "tag"):
        return {}
    found: dict[str, Any] = {"inputs": chosen}
    if name == "classify" and values.get("labels"):
        found["target"] = MultiLabels(values["labels"])
    elif values.get("label"):
        found["target"] = values["label"]
    elif "label" in source.columns:
        found["target"] = "label"
    else:
        raise OptionError(
            message(
                "--label",
                expected="the column to predict",
                received="nothing",
                remedy=f"one of {listed(source.columns)}",
            )
        )
    return found


def _events(name: str, kind: FitCommand, values: dict[str, Any], source: Any) -> dict[str, Any]:
    """Return further columns of an event log, and places found from positions if no column names them."""
    from unrolled.codecs.tables.places import PLACE, Places

    found: dict[str, Any] = {flag: _between_commas(values.get(flag)) for flag in kind.own}
    where = {flag: values[flag] for flag in ("latitude", "longitude") if values.get(flag)}
    if name == "next-place" and len(where) == 2 and (values.get("place") or PLACE) not in source.columns:
        found["place"] = Places(**where)
    return found


def _between_commas(text: Any) -> list[str] | None:
    return [part.strip() for part in str(text or "").split(",") if part.strip()] or None


def _media(values: dict[str, Any]) -> dict[str, Any]:
    """Return the options of the codecs of pictures and videos from the flags."""
    folder, side = values.get("image_dir"), values.get("image_size")
    size = {"size": parse(CommandOption("image_size", int, int, None, ""), str(side))} if side is not None else {}
    return ({"folder": folder} if folder else {}) | size


def _picture(values: dict[str, Any]) -> dict[str, Any]:
    """Return the codec of a captioner's pictures, if there are flags about it."""
    from unrolled.codecs.media.picture import Pictures

    media = _media(values)
    return {"picture": Pictures(values.get("picture") or "picture", **media)} if media else {}


def _resolved(model: Any, settings: dict[str, Any]) -> dict[str, Any]:
    """Return every option of the run, with the defaults."""
    from unrolled.codecs.base import Codec
    from unrolled.codecs.tables.places import Places
    from unrolled.training.options import TrainingOptions

    options = asdict(TrainingOptions.from_keywords(settings, dict(model.training_defaults)))
    del options["progress"]  # depends on the terminal, not on the run
    known = {argument.name for argument in arguments_of(type(model), ("training", "inputs", "target", *LISTED))}
    own = {name: value for name, value in model.get_params(deep=False).items() if name in known}
    # a codec is written as its column, as on the command line; further flags give its options
    own = {name: value.columns[0] if isinstance(value, Codec) else value for name, value in own.items()}
    return {name: value for name, value in own.items() if not isinstance(value, Places)} | options


def _is_tokens(path: str) -> bool:
    return path.lower().endswith((".tsv", ".txt", ".conll", ".conllu"))


def _report(model: Any, folder: str) -> None:
    history = model.history_
    if history.rows:
        last = history.rows[-1]
        epochs = f"{last.epoch:.3g} epoch{'s' * (last.epoch != 1)}"
        print(f"trained {epochs}, {last.update:,} updates, {last.seconds:.0f} s; {history.ending}")
    abilities = model.describe().abilities
    if model.scores_ is not None:
        print(on_lines(f"\nOn held-out data:\n{model.scores_}"))
    else:
        print("\nNo scores: " + (NO_LABELS if "detect" in abilities else TOO_FEW))
    print(f"\nsaved: {folder}")
    follow = f"unrolled generate {folder} --prompt ..." if "generate" in abilities else ""
    follow = f"unrolled generate {folder} --count 5" if "draw" in abilities else follow
    print("next: " + (follow or f"unrolled predict {folder} NEW_DATA\n      unrolled evaluate {folder} TEST_DATA"))
