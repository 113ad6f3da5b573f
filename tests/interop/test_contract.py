"""The laws of the tokenizers' family, over tokenizers that are read from files of each format.

The laws are those of tests/tokenizers, but for the ones about learning from text and about default options: this
tokenizer learns from a file, and has none by default.
"""

from __future__ import annotations

import tempfile
from collections.abc import Iterator
from dataclasses import dataclass
from functools import cache
from pathlib import Path

import pytest

from tests.tokenizers.test_contract import (  # noqa: F401  collected here again
    test_a_batch_is_each_text,
    test_arrays_of_ids,
    test_cut_sequence_decodes_with_replacement,
    test_empty_text,
    test_foreign_id_is_refused,
    test_ids_and_what_is_lost_tell_the_text,
    test_ids_stand_for_the_text,
    test_lone_surrogate_is_refused,
    test_longest_special_wins,
    test_ordinary_text_has_no_special_ids,
    test_special_strings_are_refused_unless_allowed,
    test_special_tokens_cut_the_text,
    test_unknown_allowed_special_is_refused,
    test_useless_batch_is_refused,
    test_what_are_no_ids_is_refused,
    test_what_is_no_text_is_refused,
)
from tests.tokenizers.test_contract_streams import (  # noqa: F401
    test_a_long_stream_is_encoded_in_pieces,
    test_a_special_string_cut_anywhere,
    test_a_stream_has_the_ids_of_the_whole,
    test_a_stream_without_a_place_to_cut_is_gathered_in_linear_time,
    test_a_surrogate_in_a_stream_is_refused,
    test_chunks_cut_where_it_hurts,
    test_prose_and_code_can_be_cut,
    test_what_is_cut_off_has_the_ids_of_the_whole,
)
from tests.tokenizers.test_contract_training import (  # noqa: F401
    test_a_damaged_state_is_refused_or_does_no_harm,
    test_a_failed_save_leaves_the_old_file,
    test_load_refuses_other_specials,
    test_load_refuses_what_save_did_not_write,
    test_special_strings_in_training_are_plain_text,
    test_state_is_json,
    test_survives_pickle_and_deepcopy,
    test_survives_save_and_load,
    test_training_on_files_is_training_on_their_texts,
    test_training_on_nothing_still_encodes,
    test_training_takes_an_iterator_and_is_deterministic,
    test_training_twice_forgets_the_first,
    test_untrained_use_is_refused_or_needs_no_training,
)
from tests.tokenizers.tokenizer_cases import DOCUMENTS, SPECIALS, Case
from zoo.interop import PretrainedTokenizer, write_gpt2, write_huggingface, write_tiktoken
from zoo.tokenizers import BPETokenizer
from zoo.tokenizers.base import Tokenizer


@cache
def trained(pattern: str | None, specials: tuple[str, ...]) -> BPETokenizer:
    tokenizer = BPETokenizer(vocab_size=400, pattern=pattern, specials=specials)
    tokenizer.train([text.replace("<|", "") for text in DOCUMENTS])
    return tokenizer


@dataclass(frozen=True)
class FileCase(Case):
    """A file that zoo writes, in a folder that lasts as long as the tests."""

    folder: Path
    format: str = "huggingface"

    def untrained(self, specials: tuple[str, ...] = SPECIALS) -> Tokenizer:
        pattern = self.options["pattern"]
        source = trained(pattern, specials)
        path = self.folder / f"{len(specials)}"
        if self.format == "huggingface":
            write_huggingface(source, path)
            return PretrainedTokenizer(path=path, format="huggingface")
        if self.format == "tiktoken":
            special_ids = write_tiktoken(source, path)
            return PretrainedTokenizer(path=path, pattern=pattern or "none", special_tokens=special_ids)
        write_gpt2(source, path)
        return PretrainedTokenizer(path=path, special_tokens=source.special_ids)


KINDS = [
    ("huggingface", "gpt2"),
    ("huggingface", "o200k"),
    ("tiktoken", "cl100k"),
    ("tiktoken", None),
    ("gpt2", "gpt2"),
]


@pytest.fixture(scope="module", params=KINDS, ids=lambda kind: f"{kind[0]}-pattern={kind[1]}")
def case(request: pytest.FixtureRequest) -> Iterator[Case]:
    kind, pattern = request.param
    with tempfile.TemporaryDirectory() as folder:
        yield FileCase(PretrainedTokenizer, {"pattern": pattern}, Path(folder), kind)


@pytest.fixture(scope="module")
def tokenizer(case: Case) -> Tokenizer:
    return case.trained()
