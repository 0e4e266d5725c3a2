"""Codecs from column flags: `--text review` is Words("review"), and so on."""

from collections.abc import Mapping
from typing import Any

# flag and its help text; several columns are separated by commas
FLAGS = {
    "text": "text columns, read word by word",
    "characters": "text columns, read character by character",
    "subwords": "text columns, read as subwords learnt from the data",
    "numbers": "numeric columns, or columns of lists of numbers, read together",
    "category": "columns of categories",
    "frames": "columns of lists of vectors",
    "audio": "columns of recordings: names of sound files",
    "image": "columns of pictures: names of files",
    "video": "columns of videos: names of video files, animated pictures or folders of pictures",
}
MEDIA = ("audio", "image", "video")  # columns whose steps have no labels of their own


def codecs_from(flags: Mapping[str, str], media: Mapping[str, Any] | None = None) -> list[Any] | None:
    """Return codecs for the given flags; None if there are none, so that the task chooses.

    Args:
        flags: the columns, separated by commas, by flag.
        media: options of the codecs of pictures and videos.
    """
    from unrolled.codecs.media.audio import Audio
    from unrolled.codecs.media.picture import Pictures
    from unrolled.codecs.media.video import Video
    from unrolled.codecs.tables.category import Categories
    from unrolled.codecs.tables.frames import Frames
    from unrolled.codecs.tables.numeric import Numbers
    from unrolled.codecs.text.characters import Characters
    from unrolled.codecs.text.subwords import Subwords
    from unrolled.codecs.text.words import Words

    makers = {"text": Words, "characters": Characters, "subwords": Subwords, "category": Categories, "frames": Frames}
    makers |= {"audio": Audio}
    codecs: list[Any] = []
    for flag, columns in flags.items():
        names = [name.strip() for name in columns.split(",") if name.strip()]
        if flag == "numbers" and names:
            codecs.append(Numbers(names))
        elif flag in ("image", "video"):
            codecs += [(Pictures if flag == "image" else Video)(name, **(media or {})) for name in names]
        else:
            codecs += [makers[flag](name) for name in names]
    return codecs or None
