"""Keywords of the readers that say how times are read."""

from collections.abc import Mapping
from dataclasses import fields
from typing import Any, TypedDict

from unrolled.data.time_forms import TimeForm
from unrolled.data.time_options import TimeOptions
from unrolled.errors import OptionError, message, unknown


class TimeWords(TypedDict, total=False):
    """How times are read: the fields of `TimeOptions`, or `time_form` alone, the form of another table."""

    day_first: bool | None
    time_format: str | None
    unit: str | None
    zone: str | None
    time_form: TimeForm | None


def times_from(words: Mapping[str, Any]) -> TimeOptions | TimeForm:
    """Return the options, or the learnt form, of a reader's keywords.

    Args:
        words: the keywords that were given.

    Raises:
        OptionError: an unknown keyword, or a form beside other options.

    Example:
        >>> times_from({"day_first": True}).day_first
        True
    """
    names = [field.name for field in fields(TimeOptions)]
    for name in words:
        if name not in TimeWords.__annotations__:
            raise unknown("option", name, TimeWords.__annotations__)
    form = words.get("time_form")
    if form is None:
        return TimeOptions(**{name: words[name] for name in names if name in words})
    if not isinstance(form, TimeForm):
        raise OptionError(message("time_form", expected="the time_form of a table", received=repr(form)))
    beside = [name for name in names if words.get(name) is not None]
    if beside:
        raise OptionError(message("time_form", expected="no other option of times", received=f"{beside[0]} beside it"))
    return form
