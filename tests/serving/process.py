"""A real server in a process of its own, on a free port of this machine."""

import json
import os
import re
import signal
import subprocess
import sys
import threading
import time
from pathlib import Path

import httpx

SECONDS = 60


class Server:
    """`unrolled serve` on a model folder; use it in a `with` block.

    Args:
        model: the folder.
        options: of the command line.
        files: how many files it may open; None = as many as this process.
    """

    def __init__(self, model: Path, *options: str, files: int | None = None) -> None:
        command = [
            sys.executable,
            "-W",
            "error",
            "-m",
            "unrolled.cli.main",
            "serve",
            str(model),
            "--port",
            "0",
            *options,
        ]
        if files is not None:
            command = ["sh", "-c", f'ulimit -n {files}; exec "$@"', "sh", *command]
        environment = {**os.environ, "OMP_NUM_THREADS": "1", "UNROLLED_TOKEN": ""}
        self.process = subprocess.Popen(command, stderr=subprocess.PIPE, text=True, env=environment)
        self.lines: list[str] = []
        self._reader = threading.Thread(target=self._read, daemon=True)
        self._reader.start()
        try:
            self._wait()
        except BaseException:
            self.__exit__()
            raise

    def _wait(self) -> None:
        self.client = httpx.Client(timeout=SECONDS)
        self.address = wait_for(self._address)
        self.client.base_url = self.address
        self.stream = self.address.replace("http", "ws") + "/v1/stream"
        wait_for(lambda: self.client.get("/readyz").status_code == 200)

    def __enter__(self) -> "Server":
        return self

    def __exit__(self, *_: object) -> None:
        self.client.close()
        if self.process.poll() is None:
            self.process.terminate()
            try:
                self.process.wait(SECONDS)
            except subprocess.TimeoutExpired:
                self.process.kill()
                self.process.wait()
        self._reader.join(SECONDS)
        self.process.stderr.close()

    def step(self, key: str, event: object, **more: object) -> httpx.Response:
        """One event over REST."""
        return self.client.post("/v1/step", json={"key": key, "event": event, **more})

    def metric(self, name: str) -> float:
        """A number of /metrics; 0 for one that nothing was counted in yet."""
        found = re.search(rf"^{re.escape(name)} (\S+)$", self.client.get("/metrics").text, re.MULTILINE)
        return float(found[1]) if found else 0.0

    def send(self, number: signal.Signals) -> None:
        """A signal."""
        self.process.send_signal(number)

    def logged(self, event: str) -> list[dict]:
        """The lines of the log about an event."""
        said = [json.loads(line) for line in list(self.lines) if line.startswith("{")]
        return [line for line in said if line["event"] == event]

    def _read(self) -> None:
        for line in self.process.stderr:
            self.lines.append(line)

    def _address(self) -> str:
        assert self.process.poll() is None, "".join(self.lines)
        found = re.search(r"at (http://\S+)", "".join(self.lines))
        return found[1] if found else ""


def wait_for(look, seconds: float = SECONDS):
    """What `look` gives, as soon as it is true."""
    stop = time.monotonic() + seconds
    while True:
        try:
            found = look()
        except httpx.TransportError:
            found = None
        if found:
            return found
        assert time.monotonic() < stop, "it did not come"
        time.sleep(0.02)
