"""A tokenizer from a file, as a user and a recipe have it."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest

from tests.data.data_doubles import ListCorpus, sample_texts
from tests.interop.interop_cases import SOURCES, SPECIALS, changed
from zoo.data.fingerprint import store_fingerprint
from zoo.data.store import TokenStore
from zoo.interop import PretrainedTokenizer, read_huggingface, write_gpt2, write_huggingface, write_tiktoken
from zoo.recipe import RecipeError, load_recipe
from zoo.tokenizers import BPETokenizer, ByteTokenizer

SHARES = (0.5, 0.3, 0.2)
BASE = Path(__file__).parents[2] / "recipes" / "base.yaml"


@pytest.fixture(scope="module")
def trained() -> BPETokenizer:
    tokenizer = BPETokenizer(vocab_size=500, specials=SPECIALS)
    tokenizer.train(SOURCES)
    return tokenizer


@pytest.fixture
def path(trained: BPETokenizer, tmp_path: Path) -> Path:
    write_huggingface(trained, tmp_path / "tokenizer.json")
    return tmp_path / "tokenizer.json"


def test_constructing_reads_nothing_and_training_reads_the_file_alone(path: Path, trained: BPETokenizer) -> None:
    missing = PretrainedTokenizer(path="nowhere/tokenizer.json")
    with pytest.raises(ValueError, match=r"nowhere/tokenizer.json: no such file"):
        missing.train([])
    tokenizer, unread = PretrainedTokenizer(path=path), iter(["\ud800", 3])
    assert tokenizer.specials == () and tokenizer.special_ids == {}
    tokenizer.train(unread)  # type: ignore[arg-type]
    assert list(unread) == ["\ud800", 3]
    assert tokenizer.specials == tuple(SPECIALS) and tokenizer.special_ids == trained.special_ids
    assert tokenizer.pattern == "gpt2"
    with pytest.raises(ValueError, match="this PretrainedTokenizer is not trained: call train"):
        _ = missing.pattern


def test_the_end_of_text_may_have_another_name(trained: BPETokenizer, path: Path, tmp_path: Path) -> None:
    added = json.loads(path.read_text(encoding="utf-8"))["added_tokens"][1:]
    other = changed(path, tmp_path / "other.json", added_tokens=added)
    expected = (
        r"^.*other.json: there is no special token end_of_text='<\|endoftext\|>': expected one of <\|end\|>, "
        r"<\|end\|><\|turn\|>; did you mean '<\|end\|>'\?$"
    )
    with pytest.raises(ValueError, match=expected):
        read_huggingface(other)
    tokenizer = read_huggingface(other, end_of_text="<|end|>")
    assert tokenizer.end_of_text == 1 and tokenizer.special_ids == {"<|end|>": 1, "<|end|><|turn|>": 2}
    tokenizer.save(tmp_path / "saved.json")
    with pytest.raises(ValueError, match=r"saved.json: the state is damaged: there is no special token end_of_text="):
        PretrainedTokenizer(path=other).load(tmp_path / "saved.json")


def test_a_state_with_a_token_that_is_none(path: Path, tmp_path: Path) -> None:
    tokenizer = read_huggingface(path)
    with pytest.raises(ValueError, match="the state is damaged: 'zqx' is to be taken whole, but is no token"):
        tokenizer.load_state(tokenizer.state() | {"whole": ["zqx"]})


def test_many_special_tokens_are_not_all_listed(path: Path, tmp_path: Path) -> None:
    body = json.loads(path.read_text(encoding="utf-8"))
    flags = body["added_tokens"][0]
    names = [f"<|reserved_{i}|>" for i in range(300)]
    body["added_tokens"] = [flags | {"id": 500 + i, "content": name} for i, name in enumerate(names)]
    (tmp_path / "many.json").write_text(json.dumps(body))
    with pytest.raises(ValueError, match=r"<\|reserved_7\|> and 292 more"):
        read_huggingface(tmp_path / "many.json")


def test_formats_go_by_name(trained: BPETokenizer, path: Path, tmp_path: Path) -> None:
    """`tokenizer.model` is the name of Llama 3's rank file; a folder may hold both of Hugging Face's kinds."""
    special_tokens = write_tiktoken(trained, tmp_path / "tokenizer.model")
    write_gpt2(trained, tmp_path / "gpt2")
    options: list[tuple[Path, dict[str, Any]]] = [
        (path, {}),
        (tmp_path, {}),
        (tmp_path / "gpt2", {"special_tokens": special_tokens}),
        (tmp_path / "gpt2" / "vocab.json", {"special_tokens": special_tokens}),
        (tmp_path / "tokenizer.model", {"pattern": "gpt2", "special_tokens": special_tokens}),
    ]
    for where, given in options:
        tokenizer = PretrainedTokenizer(path=where, **given)
        tokenizer.train(())
        assert tokenizer.encode(SOURCES[0]) == trained.encode(SOURCES[0])
        assert all(file.is_file() for file in tokenizer.files())
    write_gpt2(trained, tmp_path)
    assert PretrainedTokenizer(path=tmp_path).files() == [path]
    assert PretrainedTokenizer(path=tmp_path, format="gpt2").files() == [
        tmp_path / "vocab.json",
        tmp_path / "merges.txt",
    ]
    assert PretrainedTokenizer(path=path, format="tiktoken").files() == [path]


def test_useless_options_are_refused(path: Path, tmp_path: Path) -> None:
    with pytest.raises(ValueError, match=r"format='hugingface': expected one of .*; did you mean 'huggingface'\?"):
        PretrainedTokenizer(path=path, format="hugingface")  # type: ignore[arg-type]
    for option in ({"encoding": "gpt2"}, {"pattern": "gpt2"}, {"special_tokens": {"a": 1}}, {"merges_path": "b"}):
        (name,) = option
        with pytest.raises(ValueError, match=f"tokenizer.json: {name}=.* means nothing for format='huggingface'"):
            PretrainedTokenizer(path=path, **option).train(())  # type: ignore[arg-type]
    with pytest.raises(ValueError, match=r"allow=\['normalizer'\] means nothing for format='tiktoken'"):
        PretrainedTokenizer(path=path, format="tiktoken", allow=["normalizer"]).train(())
    with pytest.raises(ValueError, match=r"encoding='gpt-4': expected one of gpt2, .*; did you mean 'gpt2'\?"):
        PretrainedTokenizer(path="x.tiktoken", encoding="gpt-4")
    (tmp_path / "empty").mkdir()
    with pytest.raises(ValueError, match=r"empty: a folder without tokenizer.json or vocab.json"):
        PretrainedTokenizer(path=tmp_path / "empty").train(())
    with pytest.raises(ValueError, match="empty: a folder without one file that is meant"):
        PretrainedTokenizer(path=tmp_path / "empty", format="tiktoken").train(())
    with pytest.raises(ValueError, match=r"tokeniser.json: no such file; did you mean 'tokenizer.json'\?"):
        PretrainedTokenizer(path=path.with_name("tokeniser.json")).train(())


def test_most_tokenizers_read_no_file() -> None:
    assert BPETokenizer().files() == ByteTokenizer().files() == []


def test_a_store_is_named_by_what_the_file_holds(path: Path, trained: BPETokenizer) -> None:
    corpus = ListCorpus(sample_texts(5))

    def name(tokenizer: PretrainedTokenizer) -> str:
        return store_fingerprint(corpus, tokenizer, SHARES)

    first, trained_first = name(PretrainedTokenizer(path=path)), read_huggingface(path)
    assert name(PretrainedTokenizer(path=str(path))) == first
    before = name(trained_first)
    assert before == name(PretrainedTokenizer(path=path, format="huggingface"))  # having read it changes nothing
    other = BPETokenizer(vocab_size=400, specials=SPECIALS)
    other.train(SOURCES)
    write_huggingface(other, path)
    assert name(PretrainedTokenizer(path=path)) != first
    assert name(PretrainedTokenizer(path=path, end_of_text="<|end|>")) != name(PretrainedTokenizer(path=path))
    path.unlink()
    with pytest.raises(ValueError, match=r"tokenizer.json: no such file"):
        name(PretrainedTokenizer(path=path))


def test_a_store_needs_the_file_no_more(path: Path, tmp_path: Path, trained: BPETokenizer) -> None:
    texts = sample_texts(400)
    built = TokenStore.build_or_open(ListCorpus(texts), PretrainedTokenizer(path=path), SHARES, home=tmp_path)
    again = TokenStore.build_or_open(ListCorpus(texts), built.tokenizer, SHARES, home=tmp_path)
    assert again.folder == built.folder and built.vocab_size == trained.vocab_size
    path.unlink()
    opened = TokenStore(built.folder, PretrainedTokenizer(path=path))
    assert opened.tokenizer.encode(texts[0]) == trained.encode(texts[0])
    assert opened.tokenizer.end_of_text == trained.end_of_text == opened.tokens("train", 0, 1)[0]


def test_a_recipe_names_it(path: Path) -> None:
    where = {"class_path": "zoo.interop.PretrainedTokenizer", "init_args": {"path": str(path)}}
    recipe = load_recipe(BASE, {"data.tokenizer": where})
    tokenizer = recipe.built.data.tokenizer
    assert isinstance(tokenizer, PretrainedTokenizer)
    tokenizer.train(())
    assert tokenizer.vocab_size == 500
    assert recipe.resolved["data"]["tokenizer"]["init_args"]["path"] == str(path)
    options = {"path": "x.tiktoken", "pattern": "gpt2", "special_tokens": {"<|endoftext|>": 0}}
    built = load_recipe(BASE, {"data.tokenizer": where | {"init_args": options}}).built.data.tokenizer
    assert built.options.items() >= options.items()
    misspelt = {"data.tokenizer": where | {"init_args": {"pth": str(path)}}}
    with pytest.raises(RecipeError, match="did you mean 'path'"):
        load_recipe(BASE, misspelt)
