"""A process under load, to be killed: it goes on with every key from where it is told and says what was acknowledged.

Run: python victim.py ADDRESS KEYS EVENTS < lines "key number-of-acknowledged-events"
"""

import sys
import threading
from pathlib import Path

import numpy as np

sys.path.insert(0, str(Path(__file__).parents[1]))

from streaming.toy import toy_stream
from unrolled.errors import StoreUnavailable
from unrolled.streaming.sessions import Sessions
from unrolled.streaming.stores.registry import open_store


def history(key: str, events: int) -> list[float]:
    """The events of a key, always the same."""
    return np.random.default_rng(sum(key.encode())).normal(0, 1, events).tolist()


def use(sessions: Sessions, key: str, events: list[float], start: int) -> None:
    for place in range(start, len(events)):
        while True:
            try:
                answer = sessions.step(key, events[place], event_id=str(place))
                break
            except StoreUnavailable:
                pass  # not acknowledged, so it is sent again
        sys.stdout.write(f"{key} {place + 1} {answer['count']}\n")
        sys.stdout.flush()


def main() -> None:
    address, keys, events = sys.argv[1], int(sys.argv[2]), int(sys.argv[3])
    start = {key: int(done) for key, done in (line.split() for line in sys.stdin)}
    with Sessions(toy_stream(), open_store(address)) as sessions:
        names = [f"k{number}" for number in range(keys)]
        threads = [
            threading.Thread(target=use, args=(sessions, name, history(name, events), start.get(name, 0)))
            for name in names
        ]
        for thread in threads:
            thread.start()
        for thread in threads:
            thread.join()


if __name__ == "__main__":
    main()
