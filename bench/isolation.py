"""Isolation: many sessions, each with its own secret, interleaved; every output must equal that of the session alone.

Every session reads its own random vectors, the secret, and its outputs depend on its state. First each session runs
alone, one event after the other. Then all run again, interleaved at random by several threads through `Sessions`, and
every output is compared.

Run: python bench/isolation.py                       (10,000 sessions, 1,000,000 events, in memory)
     python bench/isolation.py --store sqlite:///isolation.db --sessions 1000 --events 100000
"""

import argparse
import threading
import time

import numpy as np
import torch

import unrolled as ur
from unrolled.streaming.sessions import Sessions

WIDTH, HIDDEN = 4, 128
TOLERANCE = 1e-5  # of an output; sums over 128 units in another order differ by about 1e-7
THREADS, AT_ONCE = 4, 500


def made_stream():
    """A stream of a sequence model that was trained a little, so that its outputs depend on what it read."""
    rng = np.random.default_rng(0)
    walks = [{"frames": rng.normal(0, 1, (50, WIDTH)).cumsum(0).tolist()} for _ in range(20)]
    model = ur.SequenceModel(hidden_size=HIDDEN, dropout=0.0).fit(walks, epochs=5)
    return model.stream()


def alone(stream, secrets):
    """Outputs of every session when it runs alone, (sessions, events, WIDTH)."""
    outputs = np.empty(secrets.shape, dtype=np.float32)
    for session, events in enumerate(secrets.tolist()):
        state = None
        for place, event in enumerate(events):
            answer, state = stream.step(event, state)
            outputs[session, place] = answer["next"]
    return outputs


def interleave(sessions, secrets, mine, seed, expected, worst):
    """Run the sessions of one thread in a random order, each in its own order; return the largest difference."""
    rng = np.random.default_rng(seed)
    order = rng.permutation(np.repeat(mine, secrets.shape[1]))
    place_of = dict.fromkeys(mine.tolist(), 0)
    largest = 0.0
    for start in range(0, len(order), AT_ONCE):
        some = []
        for session in order[start : start + AT_ONCE].tolist():
            some.append((session, place_of[session]))
            place_of[session] += 1
        answers = sessions.step_many([(f"user {session}", secrets[session, place].tolist()) for session, place in some])
        got = np.array([answer["next"] for answer in answers], dtype=np.float32)
        own = expected[tuple(np.array(some).T)]
        largest = max(largest, float(np.abs(got - own).max()))
    worst.append(largest)


def main():
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--sessions", type=int, default=10_000)
    parser.add_argument("--events", type=int, default=1_000_000)
    parser.add_argument("--store", default="memory:")
    options = parser.parse_args()
    torch.set_num_threads(1)
    stream, count = made_stream(), options.sessions
    secrets = np.random.default_rng(1).normal(0, 1, (count, options.events // count, WIDTH)).astype(np.float32)
    start = time.perf_counter()
    expected = alone(stream, secrets)
    print(
        f"{secrets.shape[0]:,} sessions of {secrets.shape[1]:,} events, each alone: {time.perf_counter() - start:.0f} s"
    )
    apart = np.abs(expected[:-1] - expected[1:]).max(-1)  # what an output of somebody else would differ by
    print(f"outputs of two sessions at the same place differ by {np.median(apart):.2g} in the middle, "
          f"{np.quantile(apart, 0.001):.2g} at the least of a thousand")  # fmt: skip
    worst: list[float] = []
    start = time.perf_counter()
    with Sessions(stream, options.store) as sessions:
        parts = [np.arange(count)[thread::THREADS] for thread in range(THREADS)]
        threads = [
            threading.Thread(target=interleave, args=(sessions, secrets, part, seed, expected, worst))
            for seed, part in enumerate(parts)
        ]
        for thread in threads:
            thread.start()
        for thread in threads:
            thread.join()
        seconds, seen = time.perf_counter() - start, sessions.statistics
    print(f"interleaved by {THREADS} threads through {options.store} {seen['events']:,} events in {seconds:.0f} s, "
          f"{seen['events'] / seconds:,.0f} events/s, {seen['events'] / seen['batches']:.0f} in a batch")  # fmt: skip
    assert len(worst) == THREADS
    assert seen["events"] == secrets.shape[0] * secrets.shape[1]
    verdict = "all equal" if max(worst) < TOLERANCE else "NOT EQUAL"
    print(f"largest difference from the session alone: {max(worst):.2g}, tolerance {TOLERANCE:.0e}: {verdict}")
    raise SystemExit(0 if max(worst) < TOLERANCE else 1)


if __name__ == "__main__":
    main()
