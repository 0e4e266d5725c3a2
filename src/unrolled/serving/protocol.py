"""How uvicorn reads WebSockets, without stopping to read after every message."""

from uvicorn.protocols.websockets.websockets_sansio_impl import WebSocketsSansIOProtocol

AHEAD = 16  # messages that are read ahead of who takes them


class Protocol(WebSocketsSansIOProtocol):
    """uvicorn's protocol, which pauses its socket at each message and resumes at the next: a quarter of the time of a
    server of small messages. Here it pauses when some wait; `receive` resumes when none do.
    """

    def send_receive_event_to_app(self) -> None:
        """One whole message for the application."""
        was_paused, self.read_paused = self.read_paused, True  # so that it is not paused now
        super().send_receive_event_to_app()
        self.read_paused = was_paused
        if self.queue.qsize() >= AHEAD and not was_paused:
            self.read_paused = True
            self.transport.pause_reading()
