"""`zoo tokenizer encode|decode`: text to ids and back, in constant memory."""

from __future__ import annotations

import argparse
import codecs
import json
import re
import sys
from collections.abc import Iterator
from contextlib import AbstractContextManager, nullcontext
from itertools import islice
from typing import Any, BinaryIO

from zoo.commands.tokenizer.compiling import say_if_compiling
from zoo.commands.tokenizer.files import open_tokenizer
from zoo.commands.tokenizer.mistakes import existing, one_line
from zoo.recipe.errors import RecipeError
from zoo.tokenizers import Tokenizer

READ_BYTES = 2**18  # of a stream, at a time
WRITTEN_IDS = 2**14
SPECIALS: dict[str, dict[str, Any]] = {
    "refuse": {},
    "allow": {"allowed_special": "all"},
    "plain": {"disallowed_special": ()},
}


def encode(arguments: argparse.Namespace, overrides: list[str]) -> int:
    """Print the ids of a text; as JSON, what is to be known of each, which holds all of it at once."""
    tokenizer = open_tokenizer(arguments.tokenizer, _say)
    say_if_compiling(tokenizer, "encode", _say)
    rules = SPECIALS[arguments.special]
    with _input(arguments) as stream, _spoken(arguments):
        chunks = [arguments.text] if stream is None else utf8_chunks(stream)
        if arguments.json:
            print(json.dumps(_facts(tokenizer, "".join(chunks), rules), ensure_ascii=False))
            return 0
        opening = ""
        ids = tokenizer.encode_iterable(chunks, **rules)
        while some := list(islice(ids, WRITTEN_IDS)):
            sys.stdout.write(opening + " ".join(map(str, some)))
            opening = " "
        print()
    return 0


def decode(arguments: argparse.Namespace, overrides: list[str]) -> int:
    """Print the text of ids, byte for byte; on a terminal its last line is ended."""
    tokenizer = open_tokenizer(arguments.tokenizer, _say)
    say_if_compiling(tokenizer, "decode", _say)
    words = iter(arguments.ids) if arguments.ids else _words(sys.stdin.buffer)
    with one_line(str(arguments.tokenizer)):
        if arguments.json:
            ids = [_id(word) for word in words]
            data = tokenizer.decode_bytes(ids)
            body = {"text": data.decode("utf-8", errors="replace"), "bytes": data.hex(), "num_tokens": len(ids)}
            print(json.dumps(body, ensure_ascii=False))
            return 0
        data = b""
        while some := [_id(word) for word in islice(words, WRITTEN_IDS)]:
            data = tokenizer.decode_bytes(some)
            sys.stdout.flush()
            sys.stdout.buffer.write(data)
        if sys.stdout.isatty() and not data.endswith(b"\n"):
            sys.stdout.buffer.write(b"\n")
        sys.stdout.buffer.flush()
    return 0


def utf8_chunks(stream: BinaryIO) -> Iterator[str]:
    """The text of a UTF-8 stream, line ends as they are.

    Raises:
        ValueError: it is not UTF-8; says at which byte.
    """
    decoder, offset = codecs.getincrementaldecoder("utf-8")(), 0
    while True:
        data = stream.read(READ_BYTES)
        held = len(decoder.getstate()[0])
        try:
            yield decoder.decode(data, final=not data)
        except UnicodeDecodeError as error:
            place, byte = offset - held + error.start, error.object[error.start]
            raise ValueError(f"not UTF-8 at byte {place} (0x{byte:02x})") from None
        offset += len(data)
        if not data:
            return


def _input(arguments: argparse.Namespace) -> AbstractContextManager[BinaryIO | None]:
    """The stream to encode; None where the text stands on the command line."""
    if arguments.text is not None and arguments.file is not None:
        raise RecipeError(["expected TEXT or --file, got both"])
    if arguments.text is not None:
        return nullcontext(None)
    return nullcontext(sys.stdin.buffer) if arguments.file is None else existing(arguments.file).open("rb")


def _spoken(arguments: argparse.Namespace) -> AbstractContextManager[None]:
    """Errors name what was read."""
    where = "TEXT" if arguments.text is not None else "standard input" if arguments.file is None else arguments.file
    return one_line(
        str(where), {"(allowed_special)": "(--special allow)", "(disallowed_special=())": "(--special plain)"}
    )


def _facts(tokenizer: Tokenizer, text: str, rules: dict[str, Any]) -> dict[str, Any]:
    ids = tokenizer.encode(text, **rules)
    tokens, num_bytes = [tokenizer.decode_bytes([i]) for i in ids], len(text.encode())
    return {
        "ids": ids,
        "tokens": [token.decode("utf-8", errors="replace") for token in tokens],  # part of a character: U+FFFD
        "token_bytes": [token.hex() for token in tokens],
        "num_tokens": len(ids),
        "num_bytes": num_bytes,
        "bytes_per_token": num_bytes / len(ids) if ids else None,
        "lost": [piece.decode("utf-8", errors="replace") for piece in tokenizer.lost(text)],
    }


def _words(stream: BinaryIO) -> Iterator[str]:
    """What white space, commas or brackets separate, so that JSON lists can be read too."""
    rest = ""
    for text in utf8_chunks(stream):
        *words, rest = re.split(r"[\s,\[\]]+", rest + text)
        yield from filter(None, words)
    if rest:
        yield rest


def _id(word: str) -> int:
    try:
        return int(word)
    except ValueError:
        raise ValueError(f"expected ids as whole numbers, got {word!r}") from None


def _say(line: str) -> None:
    print(line, file=sys.stderr, flush=True)
