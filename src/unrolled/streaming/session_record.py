"""Sessions as bytes for a store: the state and the remembered event ids as one value.

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
    """The session of one key.

    Args:
        state: of the stream.
        heard: remembered event ids, see `unrolled.streaming.event_ids.IdWindow`.
    """

    state: StreamState
    heard: bytes


class StoredSession(NamedTuple):
    """A session that was read from a store and unpacked.

    Args:
        session: None where it begins or restarts.
        version: in the store; 0 = the store has no such session.
    """

    session: Session | None
    version: int


def session_bytes(state: bytes, heard: bytes) -> bytes:
    """Join a packed state and the remembered event ids to one value for a store."""
    return HEADER.pack(len(state), zlib.crc32(heard)) + state + heard


def state_bytes(data: bytes) -> bytes:
    """Return the packed state within the bytes of a session.

    Raises:
        ArtifactError: damaged or truncated bytes.
    """
    if len(data) < HEADER.size or len(data) < HEADER.size + HEADER.unpack_from(data)[0]:
        raise _damaged()
    return data[HEADER.size : HEADER.size + HEADER.unpack_from(data)[0]]


def session_of(data: bytes, stream: Stream) -> Session:
    """Unpack the bytes that `session_bytes` wrote.

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
