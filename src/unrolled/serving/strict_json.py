"""Standard JSON: no NaN, no infinity, no invalid Unicode; and conversion of answers to plain values."""

import datetime as dt
import json
import math
import re
from collections.abc import Mapping
from typing import Any

from unrolled.errors import reason
from unrolled.pauses import pause, paused

PART = 500  # items of a list that are encoded at once
_ENCODE = json.JSONEncoder(ensure_ascii=False, allow_nan=False, separators=(",", ":")).encode


class Refused(json.JSONDecodeError):
    """An error for JSON that Python accepts and the standard does not."""


def loads(text: str | bytes, finite: bool = True) -> Any:
    """Parse JSON.

    Args:
        text: in UTF-8 where it is bytes.
        finite: refuse a number beyond float64; if False, it becomes infinite, and parsing takes a third of the time.

    Raises:
        JSONDecodeError: malformed, nested too deeply, NaN, infinity or a number beyond float64, a lone
            surrogate, or a name twice in one object (a proxy before us may have used the other value).

    Example:
        >>> loads('{"x": [1, 2.5]}')
        {'x': [1, 2.5]}
        >>> loads("[NaN]")
        Traceback (most recent call last):
        ...
        unrolled.serving.strict_json.Refused: NaN is not a number in JSON: line 1 column 1 (char 0)
    """
    try:
        text = text.decode() if isinstance(text, bytes) else text
        value = _DECODE(text) if finite else _DECODE_FAST(text)
        if _HALF.search(text):
            _ENCODE(value).encode()
    except UnicodeError:
        raise Refused("text is no Unicode", "", 0) from None
    except RecursionError:
        raise Refused("nested too deeply", "", 0) from None
    except json.JSONDecodeError:
        raise
    except ValueError:
        raise Refused("a number has too many digits", "", 0) from None
    return value


def wrong(fault: json.JSONDecodeError) -> str:
    """Return what is wrong with JSON that `loads` refused, in words of ours.

    Example:
        >>> try:
        ...     loads('{"key": }')
        ... except json.JSONDecodeError as fault:
        ...     print(wrong(fault))
        expected JSON, received something else at column 9
    """
    return fault.msg if isinstance(fault, Refused) else f"expected JSON, received {reason(fault)}"


def dumps(value: Any) -> str:
    """Write JSON in one line; a number that is not finite becomes null, and a lone surrogate a question mark."""
    try:
        text = _ENCODE(value)
    except (ValueError, TypeError):
        text = _ENCODE(plain(value))
    return text if text.isascii() else text.encode(errors="replace").decode()


def dumps_long(value: dict[str, Any]) -> str:
    """Write JSON with long lists in parts, so that other threads can run in between.

    Example:
        >>> dumps_long({"predictions": [1, 2], "classes": ["a"]})
        '{"predictions":[1,2],"classes":["a"]}'
    """
    return "{" + ",".join(f"{dumps(name)}:{_in_parts(item)}" for name, item in value.items()) + "}"


def _in_parts(value: Any) -> str:
    if not isinstance(value, list):
        return dumps(value)
    written = []
    for start in range(0, len(value), PART):
        pause()
        written.append(dumps(value[start : start + PART])[1:-1])
    return f"[{','.join(written)}]"


def plain(value: Any) -> Any:
    """Convert an answer to JSON values: arrays to lists, times to ISO 8601, numbers that are not finite to None.

    Example:
        >>> import numpy as np
        >>> plain({"x": np.array([1.0, np.nan]), 3: np.int64(4)})
        {'x': [1.0, None], '3': 4}
    """
    if value is None or isinstance(value, str | bool | int):
        return value
    if isinstance(value, float):
        return value if math.isfinite(value) else None
    if isinstance(value, Mapping):
        return {str(key): plain(item) for key, item in value.items()}
    if isinstance(value, dt.date | dt.time):
        return value.isoformat()
    if isinstance(value, dt.timedelta):
        return value.total_seconds()
    if hasattr(value, "tolist"):  # arrays and numbers of NumPy
        return plain(value.tolist())
    return [plain(item) for item in paused(value)]


def _refuse(name: str) -> Any:
    raise Refused(f"{name} is not a number in JSON", "", 0)


def _once(pairs: list[tuple[str, Any]]) -> dict[str, Any]:
    """Return an object; refuse a name that comes twice."""
    found = dict(pairs)
    if len(found) < len(pairs):
        raise Refused("a name twice in one object", "", 0)
    return found


def _finite(digits: str) -> float:
    value = float(digits)
    if math.isinf(value):
        raise Refused(f"{digits[:20]} is too large a number", "", 0)
    return value


_DECODE = json.JSONDecoder(object_pairs_hook=_once, parse_constant=_refuse, parse_float=_finite).decode
_DECODE_FAST = json.JSONDecoder(object_pairs_hook=_once, parse_constant=_refuse).decode
_HALF = re.compile(r"\\u[dD][89a-fA-F]")  # an escaped surrogate, which may lack its other half
