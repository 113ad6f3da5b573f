"""Every tokenizer, with the options that change how it works, for the laws of the family."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass, field
from typing import Any

from hypothesis import strategies as st

from zoo.families import variants
from zoo.tokenizers.base import END_OF_TEXT, Tokenizer

SPECIALS = (END_OF_TEXT, "<|end|>", "<|end|><|turn|>")
DOCUMENTS = [
    "The theory of the thing: then, there, they're. It isn't 1234, it's 12345!\n\n\tdef f(x):\n        return x\r\n",
    f"Ärger und Übermut; naïve café; δοκιμή, проверка, 試験, 🙂🙂 {END_OF_TEXT} the the the\u00a0end.",
] * 3
OPTIONS: dict[str, list[dict[str, Any]]] = {  # of a variant that is not named here: its defaults
    "CharTokenizer": [{}, {"alphabet": "unicode"}],
    "WordTokenizer": [
        {},
        {"vocab_size": 12},
        {"pattern": "gpt2"},
        {"pattern": "cl100k", "vocab_size": 40},
        {"pattern": "o200k"},
        {"pattern": r"[a-z]+\s?"},
        {"pattern": r"(?<=e)\w|\S+"},
    ],
    "BPETokenizer": [
        {"vocab_size": 400},
        {"pattern": "cl100k", "tie_break": "greatest"},
        {"pattern": "o200k", "tie_break": "huggingface"},
        {"pattern": None, "vocab_size": 300},
        {"pattern": r"[a-z]+\s?", "vocab_size": 300},
    ],
}


@dataclass(frozen=True)
class Case:
    """A class and its options."""

    cls: type[Tokenizer]
    options: dict[str, Any] = field(hash=False)

    @property
    def name(self) -> str:
        return "-".join([self.cls.__name__, *(f"{key}={value}" for key, value in self.options.items())])

    def untrained(self, specials: tuple[str, ...] = SPECIALS) -> Tokenizer:
        return self.cls(**self.options, specials=specials)

    def trained(self, documents: Iterable[str] = DOCUMENTS, specials: tuple[str, ...] = SPECIALS) -> Tokenizer:
        tokenizer = self.untrained(specials)
        tokenizer.train(iter(documents))
        return tokenizer


CASES = [Case(cls, options) for name, cls in variants("tokenizers").items() for options in OPTIONS.get(name, [{}])]

# text of the documents, with special strings and pieces of them, and what expressions stumble over
_PARTS = [
    *DOCUMENTS[:2],
    *SPECIALS,
    *("<|end", "|>", "<unk>", " ", "  ", "the", "the end", "'s", "don't", "e\u0301", "é", "試", "🙂", "\x00"),
    *(
        "\n",
        "\r\n",
        "\r",
        "\t",
        "\u00a0",
        "\u2028",
        "\x1c",
        "\x85",
        "123",
        "1234567",
        "...",
        "!'",
        "HTTPServer",
        "//\n",
    ),
]
TEXTS = st.one_of(
    st.text(),
    st.text(alphabet="aZé試ǅ1²½'\u2019sStTrReElLvV.,!/ \t\n\r\u00a0\u2028\u0301\x1c\x85🙂", max_size=40),
    st.lists(st.sampled_from(_PARTS)).map("".join),
)


@st.composite
def chunked(draw: st.DrawFn, texts: st.SearchStrategy[str] = TEXTS) -> list[str]:
    """A text in chunks, some of them empty, cut anywhere."""
    text = draw(texts)
    places = sorted(draw(st.lists(st.integers(0, len(text)), max_size=20)))
    return [text[a:b] for a, b in zip([0, *places], [*places, len(text)], strict=True)]
