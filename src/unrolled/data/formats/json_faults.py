"""Why a text is no JSON, in words that show the place."""

import json

from unrolled.errors import reason

_SHOWN = 20  # characters after the place


def json_fault(fault: Exception) -> str:
    """Return what is wrong with a text that is no JSON, with the column and the characters that stand there.

    Args:
        fault: what Python's reader raised.

    Example:
        >>> try:
        ...     json.loads('{"v": [.5]}')
        ... except ValueError as fault:
        ...     print(json_fault(fault))
        something else at column 8, where '.5]}' begins
    """
    rest = fault.doc[fault.pos :].split("\n", 1)[0][:_SHOWN] if isinstance(fault, json.JSONDecodeError) else ""
    return f"{reason(fault)}, where {rest!r} begins" if rest.strip() else reason(fault)
