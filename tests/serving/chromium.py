"""A headless Chromium, driven through its DevTools protocol: pages are opened, typed into and photographed."""

import base64
import itertools
import json
import os
import shutil
import signal
import subprocess
import time
from contextlib import ExitStack
from pathlib import Path

from websockets.sync.client import connect

PROGRAM = shutil.which("chromium") or shutil.which("chromium-browser") or shutil.which("google-chrome")
SECONDS = 30


class Browser:
    """One page in one browser; use it in a `with` block.

    Args:
        profile: an empty folder.
    """

    def __init__(self, profile: Path) -> None:
        self.errors: list[str] = []  # what the page complained about
        self.asked: list[str] = []  # addresses that the page requested
        flags = ["--headless", "--no-sandbox", "--disable-gpu", "--remote-debugging-port=0", "--no-first-run"]
        self._process = subprocess.Popen(
            [PROGRAM, *flags, f"--user-data-dir={profile}", "about:blank"],
            stdout=subprocess.DEVNULL,
            stderr=subprocess.DEVNULL,
            start_new_session=True,  # the program starts others, and all of them have to go
        )
        port, path = self._wait_for(lambda: self._door(profile))
        self._numbers = itertools.count(1)
        with connect(f"ws://127.0.0.1:{port}{path}", max_size=None) as control:
            control.send(json.dumps({"id": 1, "method": "Target.getTargets"}))
            targets = json.loads(control.recv())["result"]["targetInfos"]
        page = next(target["targetId"] for target in targets if target["type"] == "page")
        self._open = ExitStack()
        self._socket = self._open.enter_context(connect(f"ws://127.0.0.1:{port}/devtools/page/{page}", max_size=None))
        for domain in ("Page", "Runtime", "Network", "Log"):
            self.call(f"{domain}.enable")

    def __enter__(self) -> "Browser":
        return self

    def __exit__(self, *_: object) -> None:
        self._open.close()
        os.killpg(self._process.pid, signal.SIGKILL)
        self._process.wait(10)

    def call(self, method: str, **parameters: object) -> dict:
        """One command of the protocol, and its result."""
        number = next(self._numbers)
        self._socket.send(json.dumps({"id": number, "method": method, "params": parameters}))
        while True:
            said = json.loads(self._socket.recv(SECONDS))
            if said.get("id") == number:
                assert "error" not in said, said
                return said["result"]
            self._note(said)

    def run(self, script: str) -> object:
        """The value of a JavaScript expression, awaited."""
        done = self.call("Runtime.evaluate", expression=script, awaitPromise=True, returnByValue=True)
        assert "exceptionDetails" not in done, done
        return done["result"].get("value")

    def open(self, address: str, width: int = 1200, height: int = 900, dark: bool = False) -> None:
        """Go to a page in a window of a size and a colour scheme."""
        self.size(width, height)
        features = [{"name": "prefers-color-scheme", "value": "dark" if dark else "light"}]
        self.call("Emulation.setEmulatedMedia", features=features)
        self.call("Page.navigate", url=address)
        self.wait("document.readyState === 'complete'")

    def size(self, width: int, height: int) -> None:
        """A window of so many pixels."""
        self.call("Emulation.setDeviceMetricsOverride", width=width, height=height, deviceScaleFactor=1, mobile=False)

    def wait(self, condition: str) -> None:
        """Until a JavaScript expression holds."""
        self._wait_for(lambda: self.run(f"!!({condition})") or self._not_yet(condition))

    def press(self, key: str, modifiers: int = 0) -> None:
        """A key, by its DOM name."""
        code = {"Enter": 13, "Tab": 9, "ArrowLeft": 37, "ArrowRight": 39, "Home": 36}.get(key, 0)
        text = {"text": "\r"} if key == "Enter" else {}  # which submits a form
        for kind, more in (("keyDown", text), ("keyUp", {})):
            how = {"type": kind, "key": key, "code": key, "windowsVirtualKeyCode": code, "modifiers": modifiers, **more}
            self.call("Input.dispatchKeyEvent", **how)

    def type(self, text: str) -> None:
        """Text into what has the focus."""
        self.call("Input.insertText", text=text)

    def choose(self, selector: str, file: Path) -> None:
        """A file for a file input."""
        root = self.call("DOM.getDocument")["root"]["nodeId"]
        node = self.call("DOM.querySelector", nodeId=root, selector=selector)["nodeId"]
        self.call("DOM.setFileInputFiles", files=[str(file)], nodeId=node)

    def photograph(self, path: Path) -> Path:
        """The whole page as a PNG."""
        shot = self.call("Page.captureScreenshot", captureBeyondViewport=True, format="png")
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_bytes(base64.b64decode(shot["data"]))
        return path

    def _note(self, said: dict) -> None:
        parameters = said.get("params", {})
        if said.get("method") == "Runtime.exceptionThrown":
            self.errors.append(parameters["exceptionDetails"]["text"])
        if said.get("method") == "Log.entryAdded" and parameters["entry"]["level"] == "error":
            self.errors.append(parameters["entry"]["text"])
        if said.get("method") == "Network.requestWillBeSent":
            self.asked.append(parameters["request"]["url"])

    def _wait_for(self, look):
        stop = time.monotonic() + SECONDS
        while True:
            try:
                return look()
            except (OSError, ValueError, LookupError):
                if time.monotonic() > stop:
                    raise
                time.sleep(0.05)

    @staticmethod
    def _door(profile: Path) -> tuple[str, str]:
        port, path = (profile / "DevToolsActivePort").read_text().splitlines()[:2]
        return port, path

    @staticmethod
    def _not_yet(condition: str) -> None:
        raise LookupError(condition)
