"""A way to a Redis server on which answers can be lost: what was asked is done, and nobody hears of it."""

import contextlib
import socket
import threading


class Losing:
    """Passes on what is asked; while `lost`, answers to scripts are thrown away with their connection.

    Args:
        server: path of the server's socket.
    """

    def __init__(self, server: object) -> None:
        self._server, self.lost = str(server), False
        self._listening = socket.create_server(("127.0.0.1", 0))
        self.address = f"redis://127.0.0.1:{self._listening.getsockname()[1]}/0"
        threading.Thread(target=self._accept, daemon=True).start()

    def _accept(self) -> None:
        with contextlib.suppress(OSError):
            while True:
                client, _ = self._listening.accept()
                threading.Thread(target=self._pass_on, args=(client,), daemon=True).start()

    def _pass_on(self, client: socket.socket) -> None:
        with client, socket.socket(socket.AF_UNIX) as server, contextlib.suppress(OSError):
            server.connect(self._server)
            while asked := client.recv(1 << 20):
                server.sendall(asked)
                answer = server.recv(1 << 20)
                if self.lost and b"EVAL" in asked:
                    return
                client.sendall(answer)

    def close(self) -> None:
        """Take no more connections."""
        self._listening.close()
