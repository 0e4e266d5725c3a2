"""States damaged on purpose: the tree of a state changed at one place, or its bytes, with a checksum that fits."""

import random
import zlib
from typing import Any

import msgpack
import numpy as np

from unrolled.streaming.state import HEADER

ODD = [
    None, True, -1, 0, 1, 7, 2**31, 2**53, 2**62, -(2**63), 2**64 - 1, 0.5, -1e308, 1e308, float("nan"), float("inf"),
    "", "x", "é" * 40, "x" * 100_000, b"", b"x", b"\xff" * 9, (), ((),), (1, 2), {}, {"x": 1}, {1: {}}, {(1, 2): 3},
    msgpack.ExtType(1, b""), msgpack.ExtType(2, b"2024-13-01"), msgpack.ExtType(3, b"2024-01-01T00:00:00"),
    msgpack.ExtType(9, b"x"), msgpack.Timestamp(5),
]  # fmt: skip
KINDS = ["<f8", "<f4", "<i8", "|b1", "<M8[us]", "<M8[ns]", "|O", "|S9", "<U1", "|V4", "f8,i4", "__import__", "<f16", ""]
SHAPES = [(), (0,), (1,), (2,), (3, 4), (-1,), (2**62,), (2**31, 2**31), (1.5,), ("a",), None, 3, (0, 9), (1,) * 70]


def odd_value(rng: random.Random) -> Any:
    """A value that may stand anywhere."""
    chosen = rng.random()
    if chosen < 0.6:
        return rng.choice(ODD)
    if chosen < 0.9:
        body = rng.choice([b"", b"\0" * 8, np.array([np.nan, 1e308, -1.0]).tobytes(), b"\xff" * 16, b"\0" * 4000])
        return msgpack.ExtType(1, msgpack.packb((rng.choice(KINDS), rng.choice(SHAPES))) + body)
    deep: Any = 1
    for _ in range(rng.choice([3, 20, 600])):
        deep = (deep,)
    return deep


def changed(value: Any, rng: random.Random) -> Any:
    """A tree with one place changed."""
    inside = isinstance(value, tuple | dict) and len(value) > 0
    if inside and rng.random() < 0.85:
        if isinstance(value, dict):
            key = rng.choice(list(value))
            kept = {name: one for name, one in value.items() if name != key or rng.random() < 0.8}
            return {**kept, rng.choice([key, key, "x", 5]): changed(value[key], rng)}
        place, act = rng.randrange(len(value)), rng.random()
        if act < 0.08:
            return value[:place] + value[place + 1 :]
        if act < 0.16:
            return value[: place + 1] + value[place:]
        if act < 0.24:
            shuffled = list(value)
            rng.shuffle(shuffled)
            return tuple(shuffled)
        return (*value[:place], changed(value[place], rng), *value[place + 1 :])
    if rng.random() < 0.4:
        return odd_value(rng)
    if isinstance(value, bool):
        return not value
    if isinstance(value, int | float):
        return rng.choice([value + 1, -value, value * 1000, value - 1, float(value)])
    if isinstance(value, str):
        return value + rng.choice(["", "x", "\U0001f600", "\n"]) * rng.choice([1, 1, 70_000])
    if isinstance(value, bytes):
        return _other_bytes(value, rng)
    if isinstance(value, msgpack.ExtType):
        return msgpack.ExtType(value.code, _other_bytes(value.data, rng))
    return odd_value(rng)


def damaged(state: bytes, rng: random.Random) -> bytes:
    """A packed state with one to three places changed, and a checksum that fits."""
    body = state[HEADER.size :]
    for _ in range(rng.choice([1, 1, 1, 2, 3])):
        if rng.random() < 0.25:
            body = _other_bytes(body, rng)
            continue
        try:
            tree = msgpack.unpackb(body, use_list=False, strict_map_key=False)
            body = msgpack.packb(changed(tree, rng))
        except (ValueError, TypeError, OverflowError, RecursionError, msgpack.UnpackException):
            body = _other_bytes(body, rng)
    magic, version, precision, digest, _ = HEADER.unpack_from(state)
    precision = rng.choice([precision] * 9 + [1, 2, 3, 255])
    return HEADER.pack(magic, version, precision, digest, zlib.crc32(body)) + body


def _other_bytes(data: bytes, rng: random.Random) -> bytes:
    act = rng.random()
    if not data or act < 0.2:
        return data + rng.randbytes(rng.choice([1, 4, 8]))
    place = rng.randrange(len(data))
    if act < 0.4:
        return data[:place] + data[place + rng.choice([1, 4, 8]) :]
    if act < 0.6 and len(data) >= 8:
        number = rng.choice(
            [np.float32("nan"), np.float32("inf"), np.float32(3e38), np.float64("nan"), np.float64(1e308)]
        )
        at = place // 4 * 4
        return (data[:at] + number.tobytes() + data[at + number.nbytes :])[: len(data)]
    return data[:place] + bytes([rng.randrange(256)]) + data[place + 1 :]
