"""Why a text is no JSON, in words that show the place."""

import json

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
        no value at column 8, where '.5]}' begins
    """
    if not isinstance(fault, json.JSONDecodeError):
        return str(fault)
    what = {"Expecting value": "no value"}.get(fault.msg, fault.msg)
    rest = fault.doc[fault.pos :].split("\n", 1)[0][:_SHOWN]
    there = f", where {rest!r} begins" if rest else ", where the line ends"
    return f"{what} at column {fault.colno}{there}"
