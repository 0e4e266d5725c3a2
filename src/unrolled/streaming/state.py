"""The state of a stream between two events, and its form as bytes.

A packed state is

    "uRS"  version  precision  fingerprint  checksum  body
    3      1 byte   1 byte     8 bytes      4 bytes   MessagePack of [memory, network]

A state can be read only by the model that wrote it; the fingerprint identifies the model.
"""

import datetime as dt
import math
import struct
import zlib
from typing import Any, NamedTuple

import msgpack
import numpy as np
import torch

from unrolled.errors import ArtifactError, OptionError, message, unknown

MAGIC, VERSION = b"uRS", 1
HEADER = struct.Struct("<3sBB8sI")
PRECISIONS = ("float32", "float16", "bfloat16")
_ARRAY, _DATE, _MOMENT = 1, 2, 3  # extension types of MessagePack: an array of numbers, a date, a datetime
# element types of arrays: no others are written, and no text from a client is parsed as one
_KINDS = {
    np.dtype(kind).newbyteorder("<").str: np.dtype(kind).newbyteorder("<")
    for kind in (
        *("?", "i1", "i2", "i4", "i8", "u1", "u2", "u4", "u8", "f2", "f4", "f8"),
        *("M8[D]", "M8[s]", "M8[ms]", "M8[us]", "M8[ns]"),
    )
}
_MOST_DIMENSIONS = 8
# raised by MessagePack, dates and texts for malformed bytes
_MALFORMED = (ValueError, TypeError, OverflowError, RecursionError, LookupError, msgpack.UnpackException)


class StreamState(NamedTuple):
    """The state of one stream; steps return a new one and never change it.

    Args:
        memory: kept by the codecs, such as half a word: None, numbers, text, bytes, times, arrays, tuples or
            dictionaries.
        network: the network's state, (S,) float32.
    """

    memory: Any
    network: np.ndarray


def pack(state: StreamState, fingerprint: str, precision: str = "float32") -> bytes:
    """Pack a state into bytes.

    Args:
        state: what to write.
        fingerprint: of the model, 16 hexadecimal digits.
        precision: of the network's numbers: float32 keeps them as they are, float16 and bfloat16 halve the bytes.

    Raises:
        OptionError: an unknown precision, or numbers too large for float16.

    Example:
        >>> state = StreamState(("ab", 3), np.array([0.5, -1.0], dtype=np.float32))
        >>> data = pack(state, "0123456789abcdef")
        >>> len(data), unpack(data, "0123456789abcdef").network.tolist()
        (33, [0.5, -1.0])
    """
    if precision not in PRECISIONS:
        raise unknown("precision", precision, PRECISIONS)
    body = packed((state.memory, _shortened(state.network, precision)))
    digest = bytes.fromhex(fingerprint)
    return HEADER.pack(MAGIC, VERSION, PRECISIONS.index(precision), digest, zlib.crc32(body)) + body


def unpack(data: bytes, fingerprint: str) -> StreamState:
    """Unpack the state that `pack` wrote.

    Raises:
        ArtifactError: bytes that are no state, are damaged, or belong to another model or a newer version.
    """
    if len(data) < HEADER.size or data[:3] != MAGIC:
        raise ArtifactError(
            message("state", expected="bytes that a stream packed", received=f"{len(data)} other bytes")
        )
    _, version, precision, digest, checksum = HEADER.unpack_from(data)
    if version > VERSION or precision >= len(PRECISIONS):
        raise ArtifactError(
            message("state", expected=f"format version <= {VERSION}", received=f"version {version}",
                    remedy="it was packed by a newer unrolled: upgrade, or start again from initial_state()")
        )  # fmt: skip
    if digest.hex() != fingerprint:
        raise ArtifactError(
            message("state", expected=f"a state of model {fingerprint}", received=f"one of model {digest.hex()}",
                    remedy="step it with the model that made it, or start again from initial_state()")
        )  # fmt: skip
    body = data[HEADER.size :]
    if zlib.crc32(body) != checksum:
        raise _damaged()
    try:
        memory, network = unpacked(body, use_list=False)
        if not isinstance(network, bytes):
            raise _damaged()
        return StreamState(memory, _widened(network, PRECISIONS[precision]))
    except _MALFORMED as fault:
        raise _damaged() from fault


def packed(value: Any) -> bytes:
    """Encode plain values, times and arrays as MessagePack.

    Raises:
        TypeError: a value of any other type.
    """
    body = msgpack.packb(value, default=_extended, unicode_errors="surrogatepass")
    assert isinstance(body, bytes)
    return body


def unpacked(body: bytes, use_list: bool) -> Any:
    """Decode what `packed` wrote, with lists or tuples; other bytes raise one of many exceptions."""
    return msgpack.unpackb(
        body, use_list=use_list, ext_hook=_restored, strict_map_key=False, unicode_errors="surrogatepass"
    )


def _damaged() -> ArtifactError:
    return ArtifactError(
        message("state", expected="a whole state", received="damaged or truncated bytes",
                remedy="restore a copy, or start again from initial_state()")
    )  # fmt: skip


def is_of(data: bytes, fingerprint: str) -> bool:
    """Return whether packed bytes belong to a model; only the header is read."""
    return len(data) >= HEADER.size and data[:3] == MAGIC and HEADER.unpack_from(data)[3].hex() == fingerprint


def rounded(network: np.ndarray, precision: str) -> np.ndarray:
    """Round a network's state as packing and unpacking would."""
    return _widened(_shortened(network, precision), precision)


def _shortened(network: np.ndarray, precision: str) -> bytes:
    values = np.ascontiguousarray(network, dtype=np.float32)
    if precision == "bfloat16":
        return torch.from_numpy(values).to(torch.bfloat16).view(torch.int16).numpy().tobytes()
    if precision == "float16":
        with np.errstate(over="ignore"):
            short = values.astype(np.float16)
        if np.isinf(short[np.isfinite(values)]).any():
            largest = float(np.abs(values[np.isfinite(values)]).max())
            raise OptionError(
                message("precision", expected="bfloat16 or float32", received=f"float16 for a state with {largest:.3g}")
            )
        return short.tobytes()
    return values.tobytes()


def _widened(data: bytes, precision: str) -> np.ndarray:
    if precision == "float32":
        return np.frombuffer(data, dtype=np.float32).copy()
    if precision == "float16":
        return np.frombuffer(data, dtype=np.float16).astype(np.float32)
    short = torch.frombuffer(bytearray(data), dtype=torch.bfloat16) if data else torch.empty(0, dtype=torch.bfloat16)
    return short.float().numpy()


def _extended(value: Any) -> msgpack.ExtType:
    if isinstance(value, dt.date):
        return msgpack.ExtType(_MOMENT if isinstance(value, dt.datetime) else _DATE, value.isoformat().encode())
    if isinstance(value, np.generic):
        value = np.asarray(value)
    if not isinstance(value, np.ndarray) or value.dtype.newbyteorder("<").str not in _KINDS:
        raise TypeError(f"a stream's memory holds a {type(value).__name__}, which cannot be stored as bytes")
    kind = value.dtype.newbyteorder("<")
    head = msgpack.packb((kind.str, value.shape))
    assert isinstance(head, bytes)
    return msgpack.ExtType(_ARRAY, head + np.ascontiguousarray(value, dtype=kind).tobytes())


def _restored(code: int, data: bytes) -> Any:
    if code in (_DATE, _MOMENT):
        return (dt.date if code == _DATE else dt.datetime).fromisoformat(data.decode())
    if code != _ARRAY:
        raise ArtifactError(message("state", expected="arrays and plain values", received=f"extension type {code}"))
    unpacker = msgpack.Unpacker(use_list=False)
    unpacker.feed(data)
    name, shape = unpacker.unpack()
    kind, values = _KINDS[name], data[unpacker.tell() :]
    whole = all(isinstance(size, int) and size >= 0 for size in shape) and len(shape) <= _MOST_DIMENSIONS
    if not whole or math.prod(shape) * kind.itemsize != len(values):
        raise ValueError("an array whose bytes are not those of its shape")
    return np.frombuffer(values, dtype=kind).reshape(shape).copy()
