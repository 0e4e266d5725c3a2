"""A model behind HTTP and WebSocket: `unrolled serve`."""
