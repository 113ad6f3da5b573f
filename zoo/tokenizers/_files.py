"""Files of tokenizers: what `save` wrote, and text to train on."""

from __future__ import annotations

import codecs
import json
from collections import Counter
from collections.abc import Iterator
from pathlib import Path
from typing import Any, Literal

_KEYS = ("tokenizer", "specials", "state")
_REPLACEMENT = "\ufffd"


def read_saved(path: Path) -> dict[str, Any]:
    """What `Tokenizer.save` wrote.

    Raises:
        ValueError: the file is something else, or damaged.
    """
    try:
        body = json.loads(path.read_bytes())
    except (ValueError, RecursionError) as error:
        raise ValueError(f"{path} is no saved tokenizer: it is not JSON ({error})") from None
    missing = [key for key in _KEYS if not isinstance(body, dict) or key not in body]
    if missing:
        raise ValueError(f"{path} is no saved tokenizer: it lacks {', '.join(map(repr, missing))}")
    if not isinstance(body["state"], dict):
        raise ValueError(f"{path} is damaged: its 'state' is {type(body['state']).__name__}, expected a mapping")
    return body


def read_text(
    path: Path, errors: Literal["strict", "replace"], read_bytes: int, replaced: Counter[Path]
) -> Iterator[str]:
    """The text of a UTF-8 file in chunks of at most `read_bytes` bytes, its line ends as they are. `replaced` is
    raised by the number of U+FFFD that took the place of invalid bytes.

    Raises:
        ValueError: the file is not UTF-8 and `errors` is "strict"; says at which byte.
    """
    decoder = codecs.getincrementaldecoder("utf-8")(errors)
    held, offset = b"", 0  # the bytes of a character that the last chunk began; bytes before them
    with path.open("rb") as file:
        while True:
            chunk = file.read(read_bytes)
            data = held + chunk
            try:
                text = decoder.decode(chunk, final=not chunk)
            except UnicodeDecodeError as error:
                byte = error.object[error.start]
                raise ValueError(f"{path}: not UTF-8 at byte {offset + error.start} (0x{byte:02x})") from None
            held = decoder.getstate()[0]
            used = data[: len(data) - len(held)]
            if invalid := text.count(_REPLACEMENT) - used.count(_REPLACEMENT.encode()):
                replaced[path] += invalid
            offset += len(used)
            if text:
                yield text
            if not chunk:
                return
