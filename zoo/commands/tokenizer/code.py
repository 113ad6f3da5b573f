"""`zoo tokenizer encode|decode`: text to ids and back, in constant memory."""

from __future__ import annotations

import argparse
import codecs
import json
import re
import sys
from collections.abc import Iterable, Iterator
from contextlib import AbstractContextManager, nullcontext
from itertools import chain, islice
from typing import Any, BinaryIO

from zoo.commands.mistakes import existing, one_line
from zoo.commands.tokenizer.compiling import say_if_compiling
from zoo.commands.tokenizer.files import open_tokenizer, rank_options
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
    tokenizer = open_tokenizer(arguments.tokenizer, _say, **rank_options(arguments))
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
    tokenizer = open_tokenizer(arguments.tokenizer, _say, **rank_options(arguments))
    say_if_compiling(tokenizer, "decode", _say)
    words = _words(utf8_chunks(sys.stdin.buffer) if arguments.ids in ([], ["-"]) else [" ".join(arguments.ids)])
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
    if _is_standard_input(arguments):
        return nullcontext(sys.stdin.buffer)
    return nullcontext(None) if arguments.file is None else existing(arguments.file).open("rb")


def _is_standard_input(arguments: argparse.Namespace) -> bool:
    return "-" in (arguments.text, str(arguments.file)) or (arguments.text is None and arguments.file is None)


def _spoken(arguments: argparse.Namespace) -> AbstractContextManager[None]:
    """Errors name what was read."""
    where = "standard input" if _is_standard_input(arguments) else arguments.file or "TEXT"
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


def _words(texts: Iterable[str]) -> Iterator[str]:
    """What white space, commas or brackets separate, so that JSON lists can be read too; of a JSON object, as `encode`
    prints, its "ids".

    Raises:
        ValueError: it begins as an object, and is none with ids.
    """
    chunks = iter(texts)
    rest = next((text for text in chunks if text.strip()), "")
    if rest.lstrip().startswith("{"):
        yield from _ids_of_object(rest + "".join(chunks))
        return
    chunks, rest = chain([rest], chunks), ""
    for text in chunks:
        *words, rest = re.split(r"[\s,\[\]]+", rest + text)
        yield from filter(None, words)
    if rest:
        yield rest


def _ids_of_object(text: str) -> list[str]:
    try:
        ids = json.loads(text)["ids"]
    except (ValueError, KeyError, RecursionError):
        ids = None
    if not isinstance(ids, list):
        raise ValueError("expected ids, or a JSON object with a list of them under 'ids'")
    return [str(i) for i in ids]


def _id(word: str) -> int:
    if not re.fullmatch(r"-?[0-9]{1,18}", word):  # int() takes 1_0 and digits of any script, too
        raise ValueError(f"expected ids as whole numbers, got {word!r}")
    return int(word)


def _say(line: str) -> None:
    print(line, file=sys.stderr, flush=True)
