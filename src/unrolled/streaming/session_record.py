"""A session as a store keeps it: the state, and what is remembered of events with an id, as one value.

As bytes:

    state's length   checksum of the ids   state as `Stream.pack` wrote it   ids, see `unrolled.streaming.event_ids`
    4 bytes          4 bytes
"""

import struct
import zlib
from typing import NamedTuple

from unrolled.errors import ArtifactError, message
from unrolled.streaming.event_ids import is_heard
from unrolled.streaming.state import StreamState
from unrolled.streaming.stream import Stream

HEADER = struct.Struct("<II")


class Session(NamedTuple):
    """What is kept of one key.

    Args:
        state: what the stream remembers.
        heard: what is remembered of events with an id, see `unrolled.streaming.event_ids.Window`.
    """

    state: StreamState
    heard: bytes


class Known(NamedTuple):
    """A session that was read and understood.

    Args:
        session: None where it begins, or begins anew.
        version: as the store has it; 0 = the store has none.
    """

    session: Session | None
    version: int


def session_bytes(state: bytes, heard: bytes) -> bytes:
    """One value for a store: a packed state, and what is remembered of events with an id."""
    return HEADER.pack(len(state), zlib.crc32(heard)) + state + heard


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
    if zlib.crc32(body) != checksum or (body and not is_heard(body)):
        raise _damaged()
    return Session(stream.unpack(state, finite=False), body)


def _damaged() -> ArtifactError:
    return ArtifactError(
        message("session", expected="a whole session", received="damaged or truncated bytes",
                remedy="restore a copy of the store, or reset this session")
    )  # fmt: skip
