"""Files of tokenizers, read and written from Python: Hugging Face's, tiktoken's and GPT-2's.

| format                      | pattern   | special tokens | what it cannot hold                                    |
|-----------------------------|-----------|----------------|--------------------------------------------------------|
| `tokenizer.json`            | in it     | in it          | the text of a special token as an ordinary token       |
| rank file                   | not in it | not in it      | merges in another order than the ids of what they make |
| `vocab.json` + `merges.txt` | GPT-2's   | ids alone      | tokens that no merge makes, other patterns             |

What is written gives the same ids wherever it is read, and a file is written whole or not at all.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from pathlib import Path

from zoo.interop import rank_file, tokenizer_json, vocab_json
from zoo.interop._vocabulary import Vocabulary
from zoo.interop.pretrained import PretrainedTokenizer
from zoo.interop.tokenizer_json import Deviation
from zoo.tokenizers.base import END_OF_TEXT, Tokenizer
from zoo.tokenizers.bpe import BPETokenizer


def read_huggingface(
    path: Path | str, *, end_of_text: str = END_OF_TEXT, allow: Sequence[Deviation] = ()
) -> PretrainedTokenizer:
    """The tokenizer of a `tokenizer.json` (or of the folder that holds one): a BPE model, byte-level, whose special
    tokens are plain ones. With `allowed_special="all"` its ids are those of
    `tokenizers.Tokenizer.encode(text, add_special_tokens=False)`.

    Published patterns are known; any other goes through the `regex` package, while `tokenizers` has Oniguruma: what
    these two may read differently is refused. (Their versions of Unicode differ: so may ids of its newest characters.)

    Args:
        path: the file.
        end_of_text: the special token between documents.
        allow: as of `PretrainedTokenizer`.

    Raises:
        ValueError: the file is missing or damaged, or does what would change ids (another model or pre-tokenizer, a
            normalizer, dropout, added tokens that are not special or take in the space around them, an expression that
            Oniguruma may read otherwise); names the part.

    Warns:
        UserWarning: a part is left out that changes no ids of a text: a post-processor, truncation, padding.
    """
    return _read(PretrainedTokenizer(path=path, format="huggingface", end_of_text=end_of_text, allow=allow))


def write_huggingface(tokenizer: Tokenizer, path: Path | str) -> None:
    """Write a `tokenizer.json` that `tokenizers` reads, with the same ids, special tokens included.

    Raises:
        ValueError: the tokenizer is no byte-pair encoding or not trained, a special token is also an ordinary one of
            another id, or the pattern is an expression that Oniguruma may read otherwise.
    """
    tokenizer_json.write_vocabulary(_vocabulary_of(tokenizer), Path(path))


def read_tiktoken(
    path: Path | str,
    *,
    encoding: str | None = None,
    pattern: str | None = None,
    special_tokens: Mapping[str, int] | None = None,
    end_of_text: str = END_OF_TEXT,
) -> PretrainedTokenizer:
    """The tokenizer of a rank file, with the ids that tiktoken gives. (But that tiktoken drops text which an expression
    of one's own does not match; here it is kept.)

    Args:
        path: the file.
        encoding: name of a published encoding, for its pattern and special tokens: one of `ENCODINGS`.
        pattern: without `encoding`: a preset, an expression, or "none" for no cut.
        special_tokens: ids of special tokens, beside those of `encoding`.
        end_of_text: the special token between documents.

    Raises:
        ValueError: the file is missing or damaged (says in which line), lacks a byte, or an id stands for two tokens.
    """
    return _read(
        PretrainedTokenizer(
            path=path,
            format="tiktoken",
            encoding=encoding,
            pattern=pattern,
            special_tokens=special_tokens,
            end_of_text=end_of_text,
        )
    )


def write_tiktoken(tokenizer: Tokenizer, path: Path | str) -> dict[str, int]:
    """Write a rank file, in which a token's rank is its id. Ours leave the ids of special tokens out.

    Returns:
        Ids of the special tokens, which the file does not hold: give them to `tiktoken.Encoding(special_tokens=)`
        or to `read_tiktoken`, as the pattern.

    Raises:
        ValueError: the tokenizer is no byte-pair encoding or not trained, or tiktoken would give other ids: it merges
            by the id of what a pair makes, and takes every pre-token that is a token as it stands.
    """
    vocabulary = _vocabulary_of(tokenizer)
    rank_file.write_vocabulary(vocabulary, Path(path))
    return dict(vocabulary.special_ids)


def read_gpt2(
    path: Path | str,
    merges_path: Path | str | None = None,
    *,
    pattern: str | None = None,
    special_tokens: Mapping[str, int] | None = None,
    end_of_text: str = END_OF_TEXT,
) -> PretrainedTokenizer:
    """The tokenizer of `vocab.json` and `merges.txt`.

    Args:
        path: the folder, or `vocab.json`.
        merges_path: `merges.txt`; by default beside it.
        pattern: by default GPT-2's.
        special_tokens: ids of special tokens, which the files do not tell from others; by default `end_of_text` alone.
        end_of_text: the special token between documents.

    Raises:
        ValueError: a file is missing or damaged, or lacks a byte.
    """
    return _read(
        PretrainedTokenizer(
            path=path,
            format="gpt2",
            merges_path=merges_path,
            pattern=pattern,
            special_tokens=special_tokens,
            end_of_text=end_of_text,
        )
    )


def write_gpt2(tokenizer: Tokenizer, folder: Path | str) -> None:
    """Write `vocab.json` and `merges.txt`, special tokens among the former.

    Raises:
        ValueError: the tokenizer is no byte-pair encoding or not trained, its pattern is not GPT-2's, or it has tokens
            that no merge makes and that it takes whole.
    """
    vocab_json.write_vocabulary(_vocabulary_of(tokenizer), Path(folder))


def _read(tokenizer: PretrainedTokenizer) -> PretrainedTokenizer:
    tokenizer.train(())
    return tokenizer


def _vocabulary_of(tokenizer: Tokenizer) -> Vocabulary:
    """Raises:
    ValueError: the tokenizer is no byte-pair encoding, or not trained.
    """
    if isinstance(tokenizer, PretrainedTokenizer):
        return tokenizer.vocabulary
    if not isinstance(tokenizer, BPETokenizer):
        raise ValueError(
            f"{type(tokenizer).__name__} is no byte-pair encoding: expected a BPETokenizer or a PretrainedTokenizer"
        )
    model = tokenizer.model
    ids = dict(zip(model.tokens, model.ids.tolist(), strict=True))
    if len(ids) < len(model.tokens):
        raise ValueError("two of its merges make the same token: expected merges that training learned")
    return Vocabulary(tokenizer.pattern, ids, tokenizer.merges, tokenizer.special_ids)
