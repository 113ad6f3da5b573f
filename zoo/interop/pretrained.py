"""A tokenizer that others trained, from the file they wrote: usable in a recipe as any other.

class_path: zoo.interop.PretrainedTokenizer
init_args: {path: gpt2/tokenizer.json}
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from pathlib import Path
from typing import Any, Literal, get_args

import zoo.tokenizers._byte_pairs as byte_pairs
from zoo.interop import rank_file, tokenizer_json, vocab_json
from zoo.interop._reading import complaints_about, existing
from zoo.interop._vocabulary import Vocabulary
from zoo.interop.tokenizer_json import DEVIATIONS, Deviation
from zoo.tokenizers.base import END_OF_TEXT
from zoo.wording import listing, nearest

Format = Literal["huggingface", "tiktoken", "gpt2"]
_OPTIONS: dict[str, set[str]] = {  # that a format has a use for
    "huggingface": {"allow"},
    "tiktoken": {"encoding", "pattern", "special_tokens"},
    "gpt2": {"pattern", "special_tokens", "merges_path"},
}
_FILE_OF = {"huggingface": "tokenizer.json", "gpt2": vocab_json.VOCAB}  # that a folder holds
_SHOWN_SPECIALS = 8


class PretrainedTokenizer(byte_pairs.BytePairTokenizer):
    """Byte-level byte-pair encoding with the vocabulary of a file; ids are those of the file, of which some may stand
    for nothing. `train` reads the file and leaves the texts unread; `save` keeps all of it, so that what was saved
    needs the file no more. `specials`, empty before, are then those of the file.

    Args:
        path: `tokenizer.json`, a rank file, `vocab.json`, or a folder with one of the first and the last.
        format: "huggingface" (`tokenizer.json`), "tiktoken" (a rank file), "gpt2" (`vocab.json` and `merges.txt`);
            None: by its name.
        end_of_text: the special token between documents.
        encoding: name of the published encoding of a rank file, which states its pattern and special tokens: "gpt2",
            "r50k_base", "p50k_base", "p50k_edit", "cl100k_base" or "o200k_base".
        pattern: how text is cut, as `BPETokenizer` takes it, "none" for no cut: for a rank file without `encoding`; for
            `vocab.json` by default GPT-2's.
        special_tokens: ids of special tokens, for formats that do not say which are special: of a rank file, beside
            those of its `encoding`; of `vocab.json` by default `end_of_text` alone.
        merges_path: `merges.txt`, where it is not beside `vocab.json` under that name.
        allow: what may differ from the file: "normalizer" reads it as if it had none, so that ids differ where the
            normalizer changes the text; "added_tokens" reads all added tokens as plain special tokens.

    Raises:
        ValueError: an option is unknown, here; in `train`, an option is of another format, or the file is missing,
            damaged, or not to be had without changing ids; in one line, with its path.
    """

    def __init__(
        self,
        *,
        path: str | Path,
        format: Format | None = None,
        end_of_text: str = END_OF_TEXT,
        encoding: str | None = None,
        pattern: str | None = None,
        special_tokens: Mapping[str, int] | None = None,
        merges_path: str | Path | None = None,
        allow: Sequence[Deviation] = (),
    ):
        super().__init__()
        if format is not None and format not in (formats := get_args(Format)):
            raise ValueError(f"format={format!r}: expected one of {listing(formats)}{nearest(format, formats)}")
        if isinstance(allow, str) or (unknown := [each for each in allow if each not in DEVIATIONS]):
            wrong = allow if isinstance(allow, str) else unknown[0]
            raise ValueError(f"allow={wrong!r}: expected a list of some of {listing(DEVIATIONS)}")
        if encoding is not None:
            rank_file.check_encoding(encoding)
            if pattern is not None:
                raise ValueError(
                    f"pattern={pattern!r} and encoding={encoding!r} both say how text is cut: expected one"
                )
        self.specials = ()  # the file knows
        self.options |= {"path": str(path), "merges_path": None if merges_path is None else str(merges_path)}
        self._format: Format | None = format
        self._path, self._merges_path = Path(path), Path(merges_path) if merges_path is not None else None
        self._end_of_text, self._encoding, self._pattern = end_of_text, encoding, pattern
        self._special_tokens, self._allow = special_tokens, tuple(allow)
        self._vocabulary: Vocabulary | None = None

    @property
    def vocabulary(self) -> Vocabulary:
        """What the file says.

        Raises:
            ValueError: it has not been read yet.
        """
        if self._vocabulary is None:
            raise self.untrained()
        return self._vocabulary

    @property
    def pattern(self) -> str | None:
        """Name of a preset, an expression, or None."""
        return self.vocabulary.pattern

    @property
    def vocab_size(self) -> int:
        """One more than the highest id."""
        return self.vocabulary.size

    @property
    def special_ids(self) -> dict[str, int]:
        return dict(self._vocabulary.special_ids) if self._vocabulary else {}

    @property
    def end_of_text(self) -> int:
        return self.vocabulary.special_ids[self._end_of_text]

    def files(self) -> list[Path]:
        return [existing(path) for path in self._located()[1]]

    def train(self, texts: Iterable[str]) -> None:
        """Read the file; the texts are left unread.

        Raises:
            ValueError: see the class.
        """
        kind, paths = self._located()
        for option in sorted(set().union(*_OPTIONS.values()) - _OPTIONS[kind]):
            if self.options[option]:
                raise ValueError(f"{self._path}: {option}={self.options[option]!r} means nothing for format={kind!r}")
        if kind == "huggingface":
            vocabulary = tokenizer_json.read_vocabulary(paths[0], self._allow)
        elif kind == "tiktoken":
            vocabulary = rank_file.read_vocabulary(paths[0], self._encoding, self._pattern, self._special_tokens)
        else:
            vocabulary = vocab_json.read_vocabulary(
                paths[0], paths[1], self._pattern or "gpt2", self._special_tokens, self._end_of_text
            )
        with complaints_about(paths[0]):
            self._learn(vocabulary)

    def cut(self, text: str) -> int:
        return self.model.cut(text) if self._vocabulary else 0

    def state(self) -> dict[str, Any]:
        """The vocabulary, whole."""
        return self.vocabulary.state()

    def load_state(self, state: dict[str, Any]) -> None:
        """Take over the vocabulary of another instance.

        Raises:
            ValueError: it is damaged, or has no token for the end of text.
        """
        try:
            self._learn(Vocabulary.of_state(state))
        except ValueError as error:
            raise ValueError(f"the state is damaged: {error}") from None

    def _build(self) -> byte_pairs.BPEModel:
        return self.vocabulary.model()

    def _learn(self, vocabulary: Vocabulary) -> None:
        specials = sorted(vocabulary.special_ids, key=vocabulary.special_ids.__getitem__)
        if self._end_of_text not in vocabulary.special_ids:
            more = f" and {len(specials) - _SHOWN_SPECIALS} more" if len(specials) > _SHOWN_SPECIALS else ""
            raise ValueError(
                f"there is no special token end_of_text={self._end_of_text!r}: expected one of "
                f"{listing(specials[:_SHOWN_SPECIALS])}{more}{nearest(self._end_of_text, specials)}"
            )
        self._vocabulary, self._model, self.specials = vocabulary, None, tuple(specials)

    def _located(self) -> tuple[Format, list[Path]]:
        """The format, and the files that are read."""
        path, kind = self._path, self._format
        if path.is_dir():
            wanted = [name for each, name in _FILE_OF.items() if kind in (each, None)]
            path = next((path / name for name in wanted if (path / name).is_file()), path)
            if path == self._path:
                raise ValueError(f"{path}: a folder without {' or '.join(wanted) or 'one file that is meant'}")
        if kind is None:
            kind = "tiktoken" if path.suffix != ".json" else "huggingface"
            kind = "gpt2" if path.name.endswith(vocab_json.VOCAB) else kind
        if kind != "gpt2":
            return kind, [path]
        beside = path.name.removesuffix(vocab_json.VOCAB) + vocab_json.MERGES
        if self._merges_path is None and not path.name.endswith(vocab_json.VOCAB):
            raise ValueError(f"{path}: which file holds its merges? expected merges_path=")
        return kind, [path, self._merges_path or path.with_name(beside)]
