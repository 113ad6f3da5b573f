"""Sentences out of web pages: lines that end as sentences do, of pages that read as text.

Source: Raffel et al. 2019, "Exploring the Limits of Transfer Learning with a Unified Text-to-Text Transformer", arXiv
1910.10683, section 2.2 (C4), checked against the code that made it (tensorflow_datasets/text/c4_utils.py). A page goes
if it holds "lorem ipsum", a curly bracket, or a word of a given list. Of the others a line stays if it

    ends in a full stop, an exclamation or question mark, or a closing quotation mark (the code: not in an ellipsis),
    has at least 5 words, and holds neither "javascript" nor a notice on terms of use, privacy or cookies;

citation marks ([1], [edit], [citation needed]) are cut out of it, and the page goes if fewer than 3 sentences are left.
The first version of the paper has neither number, a later text states them the other way round (5 sentences of 3
words): 5 words and 3 sentences are those of the code.

Otherwise than in that code, the three rules on whole pages look at all lines, as the paper says; lines keep the white
space at their ends; sentences are counted by their end marks, at least one a line, where C4 used NLTK's trained Punkt.
Left out: `langdetect` (a trained model), and dropping any three sentences that came before (see the deduplications).
"""

from __future__ import annotations

import re
from collections.abc import Sequence

from zoo.data.filters.base import Changed, Dropped, Filter, Verdict

END_MARKS = (".", "!", "?", '"', "”")
ELLIPSIS = "..."
POLICIES = ("terms of use", "privacy policy", "cookie policy", "uses cookies", "use of cookies", "use cookies")
_CITATION = re.compile(r"\[\d*\]|\[edit\]|\[citation needed\]")
_SENTENCE_END = re.compile(r"[.!?][\"”'\u2019)\]]*(?=\s|$)")


class C4Lines(Filter):
    """Keeps the lines that are sentences, in pages that are text. Remembers nothing.

    Args:
        min_words: of a line.
        min_sentences: of what is left of a page.
        bad_words: a page with one of these goes, whatever its case; words or phrases, compared whole. The paper takes
            the "List of Dirty, Naughty, Obscene or Otherwise Bad Words", which does not come with zoo.

    Raises:
        ValueError: `bad_words` is a single string, or one of them is empty.
    """

    rules = (
        "lorem ipsum",
        "curly bracket",
        "bad word",
        "citation mark",
        "no end mark",
        "words of a line",
        "javascript",
        "policy notice",
        "number of sentences",
    )

    def __init__(self, *, min_words: int = 5, min_sentences: int = 3, bad_words: Sequence[str] = ()):
        if isinstance(bad_words, str) or not all(word.strip() for word in bad_words):
            raise ValueError(f"bad_words={bad_words!r}: expected a list of words")
        self.min_words, self.min_sentences = min_words, min_sentences
        any_of = "|".join(map(re.escape, bad_words))
        self._bad_word = re.compile(rf"(?<!\w)(?:{any_of})(?!\w)", re.IGNORECASE) if bad_words else None

    def apply(self, text: str) -> Verdict:
        if "lorem ipsum" in text.lower():
            return Dropped("lorem ipsum")
        if "{" in text or "}" in text:
            return Dropped("curly bracket")
        if self._bad_word and self._bad_word.search(text):
            return Dropped("bad word")
        kept: list[str] = []
        removed: dict[str, list[str]] = {}
        num_sentences = 0
        for whole_line in text.splitlines(keepends=True):
            line = _CITATION.sub("", whole_line) if "[" in whole_line else whole_line
            if rule := self._fault(line):
                removed.setdefault(rule, []).append(whole_line)
                continue
            if line != whole_line:
                removed.setdefault("citation mark", []).extend(_CITATION.findall(whole_line))
            kept.append(line)
            num_sentences += max(1, len(_SENTENCE_END.findall(line.rstrip())))
        if num_sentences < self.min_sentences or not kept:
            return Dropped("number of sentences")
        return Changed("".join(kept), removed) if removed else text

    def _fault(self, line: str) -> str | None:
        """The rule by which a line goes, if one does."""
        stripped = line.strip()
        if not stripped.endswith(END_MARKS) or stripped.endswith(ELLIPSIS):
            return "no end mark"
        if len(stripped.split()) < self.min_words:
            return "words of a line"
        lower = stripped.lower()
        if "javascript" in lower:
            return "javascript"
        return "policy notice" if any(policy in lower for policy in POLICIES) else None
