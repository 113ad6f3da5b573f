"""What every byte-backed tokenizer shares: text that UTF-8 can write, and the bytes of the first ids."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence

NUM_BYTES = 256


def utf8(text: str) -> bytes:
    """UTF-8 of a text.

    Raises:
        ValueError: the text holds a lone surrogate, which UTF-8 cannot write.
    """
    try:
        return text.encode("utf-8")
    except UnicodeEncodeError as error:
        code_point = ord(text[error.start])
        raise ValueError(
            f"the text holds the lone surrogate U+{code_point:04X} at index {error.start}, which UTF-8 cannot write: "
            f"expected text without surrogates (read the source with errors='replace')"
        ) from None


def documents(texts: Iterable[str]) -> Iterator[str]:
    """The texts to train on, each checked as it is drawn.

    Raises:
        ValueError: `texts` is one string, which would be read as a document per character; or a text is not UTF-8.
    """
    if isinstance(texts, str):
        raise ValueError("train got one str: expected an iterable of documents, such as [text]")
    for text in texts:
        utf8(text)
        yield text


def first_tokens(specials: Sequence[str]) -> list[bytes]:
    """Bytes of the ids that every byte-backed tokenizer starts with: the special tokens, then the 256 bytes."""
    return [special.encode("utf-8") for special in specials] + [bytes([byte]) for byte in range(NUM_BYTES)]
