from __future__ import annotations

import hashlib
from pathlib import Path

import pytest

from zoo.tokenizers import BPETokenizer, _native, _scan
from zoo.tokenizers._pretokens import compile_pattern, split

# Figure 1 of the paper, with the counts: the words that every textbook merges by hand.
WORDS = ["low"] * 5 + ["lower"] * 2 + ["widest"] * 3 + ["newest"] * 6


def train(texts: list[str], **options: object) -> BPETokenizer:
    tokenizer = BPETokenizer(**options)
    tokenizer.train(texts)
    return tokenizer


def spelled(tokenizer: BPETokenizer) -> list[str]:
    return [f"{a.decode()} {b.decode()}" for a, b in tokenizer.merges]


@pytest.mark.parametrize("pattern", [None, "gpt2", "cl100k", "o200k", r" ?\S+"])
def test_textbook_first_occurrence_wins_a_tie(pattern: str | None) -> None:
    """(l, o) and (o, w) occur three times each; (l, o) comes first."""
    assert spelled(train(["low lower lowest"], pattern=pattern))[:2] == ["l o", "lo w"]


def test_textbook_repeated_pair_in_one_word() -> None:
    assert spelled(train(["unusual_users"], pattern=None))[0] == "u s"


def test_textbook_words_under_greatest() -> None:
    assert spelled(train(WORDS, tie_break="greatest"))[:6] == ["s t", "e st", "o w", "l ow", "w est", "n e"]


def test_textbook_words_under_first() -> None:
    assert spelled(train(WORDS, tie_break="first"))[:4] == ["e s", "es t", "l o", "lo w"]


def test_greatest_takes_the_longer_of_two_with_the_same_start() -> None:
    """After "ab", the pairs (ab, x) and (a, x) tie: "ab" is the greater byte string. Byte 255 is above byte 0."""
    assert spelled(train(["abab", "abx", "ax"], pattern=None, tie_break="greatest"))[:2] == ["a b", "ab x"]
    high_low = train(["é\x00", "\x00é"], pattern=None, tie_break="greatest")
    assert high_low.merges[0] == (b"\xc3", b"\xa9")


def test_huggingface_numbers_printing_bytes_first() -> None:
    """A space is byte 32, below every letter; as the character U+0120 it comes after them all."""
    texts = [" a", "ab"]
    assert train(texts, pattern=None, tie_break="huggingface").merges[0] == (b"a", b"b")
    assert train(texts, pattern=None, tie_break="first").merges[0] == (b" ", b"a")


def test_overlapping_pairs_count_and_merge_from_the_left() -> None:
    """ "aaa" holds (a, a) twice, which beats one (x, y); merged, it is "aa a"."""
    tokenizer = train(["xy", "aaa"], pattern=None)
    assert spelled(tokenizer)[:1] == ["a a"]
    assert [tokenizer.decode([i]) for i in train(["aaaa"], vocab_size=258, pattern=None).encode("aaa")] == ["aa", "a"]


def test_no_merge_crosses_a_pretoken_or_a_document() -> None:
    tokenizer = train(["ab", "ab", "ba ba"], pattern=r" ?\S+")
    assert not any(b"a " in a + b for a, b in tokenizer.merges)
    assert len(tokenizer.encode("abba")) == 4 - 2
    assert (b"ab", b"ab") not in train(["ab"] * 9, pattern=None).merges


def test_ids_are_specials_bytes_and_merges_in_rank_order() -> None:
    tokenizer = train(["low lower lowest"], vocab_size=259)
    assert tokenizer.vocab_size == 259
    assert tokenizer.encode("low") == [258]
    assert tokenizer.encode("lo") == [257]
    assert tokenizer.encode("w") == [ord("w") + 1]
    assert tokenizer.decode_bytes(range(1, 257)) == bytes(range(256))


def test_vocabulary_is_smaller_when_pairs_run_out() -> None:
    tokenizer = train(["abc"], vocab_size=1000)
    assert tokenizer.vocab_size == 1 + 256 + 2
    assert train(["a", ""], vocab_size=1000).vocab_size == 257


def test_smallest_vocabulary_merges_nothing() -> None:
    assert train(["aaaa"], vocab_size=257).merges == []


def test_every_token_encodes_to_itself() -> None:
    """So no two merges give the same bytes."""
    tokenizer = train(["abracadabra aaaaaaa banana bandana abab"] * 2, vocab_size=300, pattern=None)
    first = 257
    tokens = [tokenizer.decode([i]) for i in range(first, tokenizer.vocab_size)]
    assert [tokenizer.encode(token) for token in tokens] == [[first + rank] for rank in range(len(tokens))]


def test_merges_written_by_hand_are_replayed_as_they_stand() -> None:
    """Here "abc" is no token of its own bytes: b c merges first, and then nothing does."""
    tokenizer = BPETokenizer(vocab_size=260, pattern=None)
    tokenizer.load_state({"pattern": None, "merges": [[98, 99], [97, 98], [257, 99]]})
    assert [tokenizer.decode([i]) for i in tokenizer.encode("abc")] == ["a", "bc"]
    assert [tokenizer.decode([i]) for i in tokenizer.encode("ab")] == ["ab"]


def test_how_many_merges_were_possible_is_said() -> None:
    tokenizer = train(["abc"], vocab_size=1000)
    expected = ["2 merges were possible, then no pair was left: the vocabulary has 259 ids, not vocab_size=1,000"]
    assert tokenizer.notes() == expected
    again = BPETokenizer(vocab_size=1000)
    again.load_state(tokenizer.state())
    assert again.notes() == expected
    assert train(["abc"], vocab_size=259).notes() == []


@pytest.mark.parametrize(("alias", "pattern"), [("gpt4", "cl100k"), ("gpt4o", "o200k"), ("none", None)])
def test_other_names_of_patterns(alias: str, pattern: str | None) -> None:
    texts = ["I'll SAY it's 12345 ...  HTTPServer\n\n"]
    assert train(texts, pattern=alias).state() == train(texts, pattern=pattern).state()


def test_special_tokens_are_options() -> None:
    tokenizer = train(["low lower"], specials=("<|pad|>", "<|endoftext|>"))
    assert tokenizer.end_of_text == 1
    assert tokenizer.encode("<|pad|>low", allowed_special="all") == [0, *tokenizer.encode("low")]
    with pytest.raises(ValueError, match=r"vocab_size=257 is too small: expected at least 258 \(256 bytes and 2 spec"):
        BPETokenizer(vocab_size=257, specials=("<|pad|>", "<|endoftext|>"))


def test_compiled_code_follows_every_source() -> None:
    """numba keeps code on disk by the function's own file; what is inlined from another must count too."""
    folder = Path(_native.__file__).parent
    compiled = {
        path for path in folder.glob("_*.py") if "@native" in path.read_text() or "@inlined" in path.read_text()
    }
    assert len(compiled) >= 5
    digest = hashlib.sha256()
    for path in sorted({*compiled, folder / "_native.py"}):
        digest.update(path.read_bytes())
    assert _native.sources() == digest.hexdigest()
    assert _scan.scan._cache._cache_file._source_stamp == _native.sources()


def test_untrained_is_refused() -> None:
    with pytest.raises(ValueError, match=r"this BPETokenizer is not trained: call train\(texts\) or load\(path\)"):
        _ = BPETokenizer().merges


def test_too_small_vocabulary_is_refused() -> None:
    with pytest.raises(ValueError, match=r"vocab_size=256 is too small: expected at least 257 \(256 bytes and 1 spe"):
        BPETokenizer(vocab_size=256)


def test_unknown_tie_break_is_refused() -> None:
    expected = "tie_break='largest': expected one of first, greatest, huggingface; did you mean 'greatest'?"
    with pytest.raises(ValueError) as caught:
        BPETokenizer(tie_break="largest")
    assert str(caught.value) == expected


def test_useless_pattern_is_refused_at_once() -> None:
    with pytest.raises(ValueError, match="does not compile as a regular expression"):
        BPETokenizer(pattern="[")


def test_one_string_is_refused() -> None:
    with pytest.raises(ValueError, match=r"train got one str: expected an iterable of documents, such as \[text\]"):
        BPETokenizer().train("low lower")


def test_surrogate_in_training_is_refused() -> None:
    with pytest.raises(ValueError, match=r"lone surrogate U\+DC80 at index 1"):
        BPETokenizer().train(["fine", "a\udc80"])


@pytest.mark.parametrize(
    ("state", "message"),
    [
        ({"pattern": None, "merges": []}, "learned with pattern=None: expected 'gpt2'"),
        ({"pattern": "gpt2", "merges": [[97, 98], [256, 99]]}, "state has 259 ids: expected at most vocab_size=258"),
        ({"pattern": "gpt2", "merges": [[97, 256]]}, r"merge 0 of the state is \[97, 256\]: expected two symbols bel"),
        ({"pattern": "gpt2", "merges": [[97]]}, r"merge 0 of the state is \[97\]: expected two symbols below 256"),
        ({"pattern": "gpt2", "merges": [[-1, 97]]}, r"merge 0 of the state is \[-1, 97\]: expected two symbols"),
    ],
)
def test_unusable_state_is_refused(state: dict, message: str) -> None:
    with pytest.raises(ValueError, match=message):
        BPETokenizer(vocab_size=258).load_state(state)


@pytest.mark.parametrize("num_threads", [1, 2])
def test_texts_of_any_size_go_together(num_threads: int) -> None:
    """Short texts are copied, long ASCII is read where it stands, and what is larger than a workspace has its own."""
    tokenizer = train(["the cat\u2019s hat, the rat\u2019s mat"] * 3, vocab_size=300)
    words = ["the hat", "the cat\u2019s mat", "", "\x00", "0123456789", "ü" * 9]
    texts = [f"{word} {i}" * size for size in (0, 1, 300, 60_000) for i, word in enumerate(words)]
    of_piece: dict[str, list[int]] = {}

    def expected(text: str) -> list[int]:
        pieces = split(compile_pattern("gpt2"), text)
        for piece in set(pieces) - set(of_piece):
            of_piece[piece] = tokenizer.encode_array(piece).tolist()
        return [i for piece in pieces for i in of_piece[piece]]

    ids = [expected(text) for text in texts]
    for order in (slice(None), slice(None, None, -1), slice(12), slice(-1, None), slice(0)):
        found = tokenizer.encode_arrays(texts[order], num_threads=num_threads)
        assert [array.tolist() for array in found] == ids[order]
    with pytest.raises(ValueError, match=r"lone surrogate U\+D800 at index 3"):
        tokenizer.encode_arrays([*texts, "abc\ud800" * 2000], num_threads=num_threads)
    assert tokenizer.encode(texts[0]) == ids[0]
