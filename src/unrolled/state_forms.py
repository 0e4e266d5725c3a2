"""Forms: checks of a stream's memory that came from elsewhere, before it is used."""

from collections.abc import Callable, Mapping, Sequence
from typing import Any, Protocol

import numpy as np

from unrolled.errors import ArtifactError, UnrolledError, message

DEEPEST = 8  # maximum levels of a value that a codec reads
MOST_PARTS = 100_000  # maximum values within one
# exceptions that a codec may raise for an unexpected value
STUMBLES = (TypeError, ValueError, LookupError, AttributeError, ArithmeticError)


class Form(Protocol):
    """A check of a value."""

    def check(self, value: Any, where: str) -> None:
        """Refuse a value that does not have this form.

        Args:
            value: as it was unpacked.
            where: its place in the memory, for the error.

        Raises:
            ArtifactError: the value does not have this form.
        """
        ...


def refused(where: str, expected: str, value: object) -> ArtifactError:
    """Make the error for a value without the form; it names the place and the type, but not the value."""
    received = f"{value!r:.40}" if isinstance(value, int | float | bool | None) else f"a {type(value).__name__}"
    remedy = "restore a copy, or start again from initial_state()"
    return ArtifactError(message(f"state, {where}", expected=expected, received=received, remedy=remedy))


class Exactly:
    """Exactly one value, such as () or None."""

    def __init__(self, value: Any) -> None:
        self._value = value

    def check(self, value: Any, where: str) -> None:
        if type(value) is not type(self._value) or value != self._value:
            raise refused(where, repr(self._value), value)


class Flag:
    """True or False."""

    def check(self, value: Any, where: str) -> None:
        if not isinstance(value, bool):
            raise refused(where, "true or false", value)


class Whole:
    """A whole number in [low, high].

    Example:
        >>> Whole(0, 9).check(10, "items")
        Traceback (most recent call last):
        ...
        unrolled.errors.ArtifactError: state, items: expected a whole number in [0, 9], received 10; restore a copy, \
or start again from initial_state()
    """

    def __init__(self, low: int = 0, high: int = 2**53) -> None:
        self._low, self._high = low, high

    def check(self, value: Any, where: str) -> None:
        if isinstance(value, bool) or not isinstance(value, int) or not self._low <= value <= self._high:
            raise refused(where, f"a whole number in [{self._low}, {self._high}]", value)


class Real:
    """A finite number in [low, high]."""

    def __init__(self, low: float = -1e300, high: float = 1e300) -> None:
        self._low, self._high = low, high

    def check(self, value: Any, where: str) -> None:
        if isinstance(value, bool) or not isinstance(value, int | float) or not self._low <= value <= self._high:
            raise refused(where, f"a number in [{self._low:g}, {self._high:g}]", value)


class Chars:
    """A text of at most `longest` characters."""

    def __init__(self, longest: int) -> None:
        self._longest = longest

    def check(self, value: Any, where: str) -> None:
        if not isinstance(value, str) or len(value) > self._longest:
            raise refused(where, f"a text of at most {self._longest:,} characters", value)


class Octets:
    """At most `longest` bytes."""

    def __init__(self, longest: int) -> None:
        self._longest = longest

    def check(self, value: Any, where: str) -> None:
        if not isinstance(value, bytes) or len(value) > self._longest:
            raise refused(where, f"at most {self._longest} bytes", value)


class OneOf:
    """One of some values."""

    def __init__(self, values: Sequence[Any]) -> None:
        self._values = frozenset((type(value), value) for value in values)

    def check(self, value: Any, where: str) -> None:
        if not isinstance(value, str | int | float | bool | None) or (type(value), value) not in self._values:
            raise refused(where, "a value that the model knows", value)


class Array:
    """An array.

    Args:
        kinds: its element types, such as "float64".
        shape: its sizes; None = any size up to `most`.
        most: of a size that is not given.
        low, high: range of its values.
        missing: whether NaN is allowed.
        infinite: whether infinities are allowed.
    """

    def __init__(
        self,
        kinds: Sequence[str],
        shape: Sequence[int | None],
        most: int = 0,
        low: float = -1e300,
        high: float = 1e300,
        missing: bool = False,
        infinite: bool = False,
    ) -> None:
        self._kinds, self._shape, self._most = frozenset(map(np.dtype, kinds)), tuple(shape), most
        self._low, self._high, self._missing, self._infinite = low, high, missing, infinite

    def check(self, value: Any, where: str) -> None:
        if not isinstance(value, np.ndarray) or value.dtype not in self._kinds or value.ndim != len(self._shape):
            kinds = " or ".join(sorted(map(str, self._kinds)))
            raise refused(where, f"an array of {kinds} with {len(self._shape)} dimensions", value)
        for given, size in zip(value.shape, self._shape, strict=True):
            if given != size and (size is not None or given > self._most):
                sizes = ", ".join(f"<= {self._most}" if size is None else str(size) for size in self._shape)
                raise refused(where, f"an array of shape ({sizes})", value)
        if value.dtype.kind == "f":
            wide = value.astype(np.float64)  # so that values and bounds compare as one type
            ordinary = (wide >= self._low) & (wide <= self._high)
            ordinary |= np.isnan(value) & self._missing
            ordinary |= np.isinf(value) & self._infinite
        else:
            ordinary = (value >= self._low) & (value <= self._high)
        if not ordinary.all():
            raise refused(where, f"numbers in [{self._low:g}, {self._high:g}]", value)


class FixedParts:
    """A tuple of a fixed number of parts, each of its own form."""

    def __init__(self, *forms: Form) -> None:
        self._forms = forms

    def check(self, value: Any, where: str) -> None:
        if not isinstance(value, tuple) or len(value) != len(self._forms):
            raise refused(where, f"{len(self._forms)} parts", value)
        for place, (form, part) in enumerate(zip(self._forms, value, strict=True)):
            form.check(part, f"{where}[{place}]")


class Many:
    """A tuple of at most `most` parts of one form; `distinct` requires different parts."""

    def __init__(self, form: Form, most: int, distinct: bool = False) -> None:
        self._form, self._most, self._distinct = form, most, distinct

    def check(self, value: Any, where: str) -> None:
        if not isinstance(value, tuple) or len(value) > self._most:
            raise refused(where, f"at most {self._most} parts", value)
        for place, part in enumerate(value):
            self._form.check(part, f"{where}[{place}]")
        if self._distinct and len(set(value)) != len(value):
            raise refused(where, "parts that are all different", value)


class Named:
    """A dictionary with exactly these keys."""

    def __init__(self, forms: Mapping[str, Form]) -> None:
        self._forms = forms

    def check(self, value: Any, where: str) -> None:
        if not isinstance(value, dict) or value.keys() != self._forms.keys():
            raise refused(where, f"a record with {', '.join(self._forms)}", value)
        for name, form in self._forms.items():
            form.check(value[name], f"{where}[{name!r}]")


class Maybe:
    """None, or a value of a form."""

    def __init__(self, form: Form) -> None:
        self._form = form

    def check(self, value: Any, where: str) -> None:
        if value is not None:
            self._form.check(value, where)


class Either:
    """A value of one form or of the other."""

    def __init__(self, one: Form, other: Form) -> None:
        self._one, self._other = one, other

    def check(self, value: Any, where: str) -> None:
        try:
            self._one.check(value, where)
        except ArtifactError:
            self._other.check(value, where)


class Plain:
    """A value of an event: limited in depth and parts, and otherwise anything that its codec accepts."""

    def check(self, value: Any, where: str) -> None:
        level, parts = [value], 0
        for _ in range(DEEPEST):
            if not level:
                return
            parts += len(level)
            if parts > MOST_PARTS:
                break
            below: list[Any] = []
            for one in level:
                if isinstance(one, dict):
                    below.extend(one.values())
                elif isinstance(one, tuple | list):
                    below.extend(one)
            level = below
        if level:
            raise refused(where, f"a value of at most {DEEPEST} levels and {MOST_PARTS:,} parts", value)


class Also:
    """A form with a further condition.

    Args:
        form: of the value.
        holds: the condition; an exception that codecs raise for wrong values counts as False.
        expected: the condition in words, for the error.
    """

    def __init__(self, form: Form, holds: Callable[[Any], bool], expected: str) -> None:
        self._form, self._holds, self._expected = form, holds, expected

    def check(self, value: Any, where: str) -> None:
        self._form.check(value, where)
        try:
            good = self._holds(value)
        except (UnrolledError, *STUMBLES) as fault:
            raise refused(where, self._expected, value) from fault
        if not good:
            raise refused(where, self._expected, value)
