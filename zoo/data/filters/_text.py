"""What several filters mean by a line and by a paragraph."""

from __future__ import annotations

import re

_BLANK_LINES = re.compile(r"\n\s*\n")


def lines_of(text: str) -> list[str]:
    """Lines that are not blank, without the white space around them."""
    return [stripped for line in text.splitlines() if (stripped := line.strip())]


def paragraphs_of(text: str) -> list[str]:
    """What stands between blank lines, without the white space around it."""
    return [stripped for piece in _BLANK_LINES.split(text) if (stripped := piece.strip())]
