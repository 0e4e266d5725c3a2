"""The codecs among a task's constructor arguments, as JSON, so that a loaded task can be fitted anew with them."""

from collections.abc import Iterator, Mapping
from typing import Any

from unrolled.codecs.base import Codec
from unrolled.codecs.registry import CODECS, codec_from_json


def codecs_in(value: Any) -> Iterator[Codec]:
    """Yield the codecs in an argument: itself, or inside a list or a mapping.

    Example:
        >>> from unrolled.codecs.text.words import Words
        >>> list(codecs_in([Words("text"), "site"]))
        [Words('text')]
    """
    if isinstance(value, Codec) and value.name in CODECS:
        yield value
    elif isinstance(value, list | tuple):
        for item in value:
            yield from codecs_in(item)
    elif isinstance(value, Mapping):
        yield from codecs_in(list(value.values()))


def given_to_json(value: Any) -> Any:
    """Return an argument that holds codecs as plain values: of every codec, the arguments and nothing learnt."""
    if isinstance(value, Codec):
        return {"codec": type(value)(**value.arguments()).to_json()}
    if isinstance(value, list | tuple):
        return {"list": [given_to_json(item) for item in value]}
    if isinstance(value, Mapping):
        return {"mapping": {name: given_to_json(item) for name, item in value.items()}}
    return {"value": value}


def given_from_json(data: Mapping[str, Any]) -> Any:
    """Restore what `given_to_json` returned.

    Raises:
        ArtifactError: damaged data, or a codec of a newer version.

    Example:
        >>> from unrolled.codecs.text.words import Words
        >>> given_from_json(given_to_json([Words("text"), "site"]))
        [Words('text'), 'site']
    """
    ((form, value),) = data.items()
    if form == "codec":
        return codec_from_json(value)
    if form == "list":
        return [given_from_json(item) for item in value]
    if form == "mapping":
        return {name: given_from_json(item) for name, item in value.items()}
    return value
