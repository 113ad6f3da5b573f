"""Documents in one script: the share of their letters that belong to it.

Source: the Unicode Standard, annex 24, "Unicode Script Property", as the `regex` package has it. This is no language
identification: it tells Latin from Cyrillic, not English from French. That takes a trained model, and zoo has none.
"""

from __future__ import annotations

import functools

import numpy as np
import regex
from numpy.typing import NDArray

from zoo.data.filters.base import Dropped, Filter, Verdict
from zoo.wording import nearest

NUM_CODE_POINTS = 0x110000
_OTHER_LETTER, _OF_SCRIPT = 1, 2


class ScriptShare(Filter):
    """Drops a document with too few letters of a script. Marks, digits and punctuation do not count. Remembers nothing.

    Args:
        script: Unicode's name or short name of it, in any case: Latin, Cyrl, han.
        at_least: share of the letters, from 0 to 1.

    Raises:
        ValueError: the script is not known, or `at_least` is no share.
    """

    rules = ("no letters", "script")

    def __init__(self, *, script: str = "Latin", at_least: float = 0.9):
        if not 0 <= at_least <= 1:
            raise ValueError(f"at_least={at_least:g} must be from 0 to 1")
        if not _is_script(script):
            raise ValueError(f"unknown script {script!r}: expected a script of Unicode{nearest(script, _names())}")
        self.script, self.at_least = script, at_least

    def apply(self, text: str) -> Verdict:
        code_points = np.frombuffer(text.encode("utf-32-le"), dtype="<u4")
        kinds = _kinds(self.script)[code_points]
        num_letters = np.count_nonzero(kinds)
        if num_letters == 0:
            return Dropped("no letters")
        return text if np.count_nonzero(kinds == _OF_SCRIPT) / num_letters >= self.at_least else Dropped("script")


@functools.cache
def _kinds(script: str) -> NDArray[np.uint8]:
    """uint8 [code points]: 0 no letter, 1 a letter of another script, 2 one of this. A table, for a search by pattern
    takes twenty times as long."""
    kinds = np.zeros(NUM_CODE_POINTS, dtype=np.uint8)
    every = "".join(map(chr, range(NUM_CODE_POINTS)))
    for match in regex.finditer(r"\p{L}+", every):
        kinds[match.start() : match.end()] = _OTHER_LETTER
    for match in regex.finditer(rf"(?V1)[\p{{L}}&&\p{{Script={script}}}]+", every):
        kinds[match.start() : match.end()] = _OF_SCRIPT
    return kinds


def _is_script(name: str) -> bool:
    try:
        regex.compile(rf"\p{{Script={name}}}")
    except regex.error:
        return False
    return name.replace("_", "").replace(" ", "").isalnum()  # and nothing that would end the braces


def _names() -> list[str]:
    """Names of scripts, for the hint of an error: the package lists them in its own tables alone."""
    return [name.capitalize() for name in regex._regex_core.PROPERTIES["SCRIPT"][1]]
