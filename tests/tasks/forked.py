"""A program whose forked children ask every task, after all pools of threads were in use; prints a line for each.

Given the names of tasks, or "load" and a model's folder.
"""

import os
import signal
import sys
import time
import warnings
from collections.abc import Callable

import numpy as np
import torch

import unrolled as ur
from unrolled.data import forks
from unrolled.errors import UnsupportedError

LIMIT = 60  # seconds after which a child hangs
FAST = {"epochs": 1, "device": "cpu", "baselines": False}
DRAW = np.random.default_rng(0)
TEXTS = [{"text": "ab" * (2 + row % 4), "other": "ba" * (2 + row % 4), "y": str(row % 2)} for row in range(40)]
TAGGED = [{"words": ["a", "b", "c"][: 1 + row % 3], "tags": ["N", "X", "N"][: 1 + row % 3]} for row in range(40)]
SERIES = [{"t": step, "v": float(np.sin(step / 3))} for step in range(200)]
EVENTS = [
    {"user": row % 7, "item": f"i{row % 5}", "place": f"p{row % 5}", "time": f"2024-01-{1 + row % 28:02d}"}
    for row in range(150)
]
PICTURES = [{"picture": [row % 5 / 5, 1.0], "caption": ["a dark one", "one"][row % 2]} for row in range(40)]

TASKS: dict[str, tuple[Callable[[], object], list[dict[str, object]]]] = {
    "Classifier": (lambda: ur.Classifier(inputs=ur.Characters("text"), hidden_size=4), TEXTS),
    "Tagger": (lambda: ur.Tagger(hidden_size=4), TAGGED),
    "LanguageModel": (lambda: ur.LanguageModel(text="text", hidden_size=4), TEXTS),
    "SequenceModel": (lambda: ur.SequenceModel(hidden_size=4), [{"frames": [[0, 1], [1, 0], [1, 1]]}] * 40),
    "Translator": (lambda: ur.Translator("text", "other", hidden_size=4), TEXTS),
    "Captioner": (lambda: ur.Captioner(hidden_size=4), PICTURES),
    "Forecaster": (lambda: ur.Forecaster(target="v", horizon=2, hidden_size=4), SERIES),
    "Detector": (lambda: ur.Detector(hidden_size=4), SERIES),
    "Recommender": (lambda: ur.Recommender(user="user", item="item", time="time", hidden_size=4), EVENTS),
    "NextPlace": (lambda: ur.NextPlace(user="user", place="place", time="time", hidden_size=4), EVENTS),
}


def child(name: str, work: Callable[[], object]) -> None:
    """Run some work in a forked child, which is killed when it hangs."""
    sys.stdout.flush()
    process = os.fork()
    if not process:
        code = 1
        try:
            work()
            print(name, "works", flush=True)
            code = 0
        except UnsupportedError as refused:
            print(name, "says what to do" if "'spawn'" in str(refused) else f"answers: {refused}", flush=True)
            code = 0
        except BaseException as fault:
            print(name, "FAILS:", type(fault).__name__, fault, flush=True)
        finally:
            os._exit(code)
    stop = time.monotonic() + LIMIT
    while time.monotonic() < stop:
        ended, status = os.waitpid(process, os.WNOHANG)
        if ended:
            if status:
                print(name, "ENDS with", status, flush=True)
            return
        time.sleep(0.01)
    os.kill(process, signal.SIGKILL)
    os.waitpid(process, 0)
    print(name, "HANGS", flush=True)


def asked(data: list[dict[str, object]]) -> object:
    """Data as a task takes it; a series needs its times named."""
    return ur.as_source(data, time="t") if data is SERIES else data


def main(names: list[str]) -> None:
    warnings.simplefilter("ignore")
    forks.PATIENCE = 1.0
    torch.set_num_threads(2)
    one = torch.randn(400, 400)
    _ = one @ one, torch.randn(1_000_000).exp()  # OpenMP's pool
    if names[0] == "load":  # and nothing was read: a child reads tables as usual
        model = ur.load(names[1])
        child("loaded", lambda: (model.predict(TEXTS), model.evaluate(TEXTS), forks._sort()))
        return
    fitted = {}
    for name in names:
        make, data = TASKS[name]
        fitted[name] = make().fit(asked(data), **FAST)
    forks._sort()  # polars' pool
    child("torch", lambda: (one @ one, torch.randn(1_000_000).exp()))
    for name, model in fitted.items():
        data = asked(TASKS[name][1])
        child(f"{name}.predict", lambda model=model, data=data: model.predict(data))
        child(f"{name}.evaluate", lambda model=model, data=data: model.evaluate(data))
        child(f"{name}.inspect", lambda model=model, data=data: model.inspect(data))
        child(f"{name}.fit", lambda name=name, data=data: TASKS[name][0]().fit(data, **FAST))
        try:
            stream = model.stream()
            events = [some[:5] for some in stream.events(model._source(data), 0) if some][:2]
        except UnsupportedError:
            continue

        def walk(stream=stream, events=events) -> None:
            for some in events:
                state = stream.initial_state()
                for event in some:
                    _, state = stream.step(event, state)

        child(f"{name}.stream", walk)


if __name__ == "__main__":
    main(sys.argv[1:])
