"""All codecs by name. A new codec is one file and one line here; the conformance suite runs over this table."""

from collections.abc import Mapping
from typing import Any

from unrolled.codecs.base import Codec
from unrolled.codecs.media.audio import Audio
from unrolled.codecs.media.picture import Pictures
from unrolled.codecs.media.video import Video
from unrolled.codecs.tables.category import Categories
from unrolled.codecs.tables.frames import Frames
from unrolled.codecs.tables.labels import Labels, MultiLabels
from unrolled.codecs.tables.numeric import Numbers
from unrolled.codecs.tables.time import TimeFeatures
from unrolled.codecs.text.characters import Characters
from unrolled.codecs.text.subwords import Subwords
from unrolled.codecs.text.word_characters import WordCharacters
from unrolled.codecs.text.words import Words
from unrolled.errors import ArtifactError, message, unknown

CODECS: dict[str, type[Codec]] = {
    codec.name: codec
    for codec in (
        Characters,
        Words,
        WordCharacters,
        Subwords,
        Numbers,
        Frames,
        TimeFeatures,
        Categories,
        Labels,
        MultiLabels,
        Audio,
        Pictures,
        Video,
    )
}


def codec_from_json(data: Mapping[str, Any]) -> Codec:
    """Restore a codec that `to_json` wrote.

    Raises:
        ArtifactError: an unknown codec, a newer version, or damaged data.
    """
    name = data.get("codec") if isinstance(data, Mapping) else None
    if not isinstance(name, str):
        raise ArtifactError(message("codec", expected="a codec's JSON with its name", received=type(data).__name__))
    if name not in CODECS:
        raise unknown("codec", name, CODECS, ArtifactError)
    version = data.get("version")
    if not isinstance(version, int) or version > CODECS[name].version:
        raise ArtifactError(
            message(f"version of codec {name!r}", expected=f"at most {CODECS[name].version}", received=version,
                    remedy="install a newer unrolled")
        )  # fmt: skip
    try:
        return CODECS[name].from_json(data)
    except (KeyError, TypeError) as fault:
        raise ArtifactError(
            message(f"codec {name!r}", expected="its arguments and what it learnt", received="others")
        ) from fault
