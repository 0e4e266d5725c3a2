"""Words of a line: only blanks and tabs are between them; rarer white space, such as U+2028, is part of a word."""

import re

BLANKS = re.compile(r"[ \t]+")


def words(text: str) -> list[str]:
    r"""Return the words of a line.

    Args:
        text: the line, without its end.

    Example:
        >>> words(" @classLabel true\ta\x0bb ")
        ['@classLabel', 'true', 'a\x0bb']
    """
    bare = text.strip(" \t")
    return BLANKS.split(bare) if bare else []
