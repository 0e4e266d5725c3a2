"""A session as a store keeps it: the state, and the answers to the last events, as one value.

As bytes:

    state's length   checksum of the answers   state as `Stream.pack` wrote it   answers
    4 bytes          4 bytes                                                     MessagePack of {event id: answer}
"""

import struct
import zlib
from typing import Any, NamedTuple

import msgpack

from unrolled.errors import ArtifactError, message
from unrolled.streaming.state import StreamState
from unrolled.streaming.stream import Stream

HEADER = struct.Struct("<II")


class Session(NamedTuple):
    """What is kept of one key.

    Args:
        state: what the stream remembers.
        answers: to the last events that had an id, oldest first, by their id.
    """

    state: StreamState
    answers: dict[str, Any]


def session_bytes(state: bytes, answers: dict[str, Any]) -> bytes:
    """One value for a store: a packed state and remembered answers."""
    body = msgpack.packb(answers) if answers else b""
    assert isinstance(body, bytes)
    return HEADER.pack(len(state), zlib.crc32(body)) + state + body


def state_bytes(data: bytes) -> bytes:
    """The packed state within `session_bytes`.

    Raises:
        ArtifactError: damaged or truncated bytes.
    """
    if len(data) < HEADER.size or len(data) < HEADER.size + HEADER.unpack_from(data)[0]:
        raise _damaged()
    return data[HEADER.size : HEADER.size + HEADER.unpack_from(data)[0]]


def session_of(data: bytes, stream: Stream) -> Session:
    """What `session_bytes` wrote.

    Raises:
        ArtifactError: damaged or truncated bytes, or the state of another model.
    """
    state = state_bytes(data)
    length, checksum = HEADER.unpack_from(data)
    body = data[HEADER.size + length :]
    if zlib.crc32(body) != checksum:
        raise _damaged()
    answers = msgpack.unpackb(body, strict_map_key=False) if body else {}
    return Session(stream.unpack(state), answers)


def _damaged() -> ArtifactError:
    return ArtifactError(
        message("session", expected="a whole session", received="damaged or truncated bytes",
                remedy="restore a copy of the store, or reset this session")
    )  # fmt: skip
