"""`zoo tokenizer` as its user runs it."""

from __future__ import annotations

import io
import json
import os
import re
import shlex
import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from zoo.cli import BEHIND_DASHES, PRESETS, main
from zoo.commands.tokenizer import compiling
from zoo.commands.tokenizer.corpora import SHARES, passages
from zoo.data import TextFiles, split_of
from zoo.interop import write_huggingface, write_tiktoken
from zoo.prepare import open_store
from zoo.recipe import load_recipe
from zoo.tokenizers import BPETokenizer, ByteTokenizer, CharTokenizer, Tokenizer, WordTokenizer, load_tokenizer
from zoo.tokenizers._pretokens import PATTERNS

ROOT = Path(__file__).parents[1]
BASE = str(ROOT / "recipes" / "base.yaml")
TEXT = "The theory of the thing: then, there, they're. café 試験 🙂\r\n\n\tIt isn't 1234."
Captured = pytest.CaptureFixture[str]


@pytest.fixture(autouse=True)
def folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    monkeypatch.chdir(tmp_path)
    return tmp_path


@pytest.fixture
def small_recipe(corpus: Path, folder: Path) -> str:
    path = folder / "small.yaml"
    path.write_text(
        f"base: {BASE}\ndata:\n  corpus:\n    class_path: zoo.data.TextFiles\n    init_args: {{paths: ['{corpus}']}}\n"
        f"  tokenizer:\n    class_path: zoo.tokenizers.WordTokenizer\n    init_args: {{vocab_size: 20}}\n"
    )
    return str(path)


@pytest.fixture
def saved(folder: Path) -> str:
    """A small trained tokenizer."""
    tokenizer = BPETokenizer(vocab_size=270)
    tokenizer.train([TEXT])
    tokenizer.save(folder / "saved.json")
    return "saved.json"


@pytest.fixture
def stdin(monkeypatch: pytest.MonkeyPatch) -> Callable[[bytes], None]:
    return lambda data: monkeypatch.setattr(sys, "stdin", io.TextIOWrapper(io.BytesIO(data)))


def refused(words: list[str], capsys: Captured) -> str:
    """The one line that a mistake ends in."""
    assert main(["tokenizer", *words]) == 2
    err = capsys.readouterr().err.splitlines()
    (line,) = [line for line in err if not line.startswith(("reading", "learning", "training", "compiling"))]
    return line


class TestTrain:
    def test_on_files_is_training_on_their_texts(self, folder: Path, capsys: Captured) -> None:
        (folder / "a.txt").write_text(TEXT * 3, encoding="utf-8", newline="")
        (folder / "b.py").write_text("def the(): ...\n" * 9)
        (folder / "c.jsonl").write_text(json.dumps({"text": "there " * 5}) + "\n" + json.dumps({"text": "thing"}))
        words = ["a.txt", "*.py", "c.jsonl", "--vocab-size", "280", "--pattern", "cl100k", "--tie-break", "greatest"]
        assert main(["tokenizer", "train", *words, "--special", "<|end|>", "-o", "mine.json"]) == 0
        out = capsys.readouterr().out
        expected = BPETokenizer(
            vocab_size=280, pattern="cl100k", tie_break="greatest", specials=["<|endoftext|>", "<|end|>"]
        )
        expected.train([TEXT * 3, "def the(): ...\n" * 9, "there " * 5, "thing"])
        made = load_tokenizer(folder / "mine.json")
        assert isinstance(made, BPETokenizer) and made.state() == expected.state()
        assert made.specials == expected.specials and made.options["tie_break"] == "greatest"
        num_bytes = len((TEXT * 3).encode()) + 9 * 15 + 30 + 5
        assert f"BPETokenizer: 280 ids, learned from {num_bytes:,} bytes" in out and out.endswith("mine.json\n")

    def test_a_recipe_gives_what_its_store_holds(self, small_recipe: str, folder: Path, capsys: Captured) -> None:
        override = "--data.tokenizer.vocab_size=15"
        assert main(["tokenizer", "train", small_recipe, override, "-o", "mine.json", "--json"]) == 0
        facts = json.loads(capsys.readouterr().out)
        store = open_store(load_recipe(small_recipe, [override]))
        assert load_tokenizer(folder / "mine.json").state() == store.tokenizer.state()
        assert (facts["vocab_size"], facts["tokenizer"], facts["path"]) == (15, "WordTokenizer", "mine.json")
        assert facts["num_bytes"] == store.num_bytes("train") and facts["options"]["vocab_size"] == 15

    @pytest.mark.parametrize(
        ("kind", "cls"), [("word", WordTokenizer), ("char", CharTokenizer), ("byte", ByteTokenizer)]
    )
    def test_every_kind(self, kind: str, cls: type[Tokenizer], folder: Path) -> None:
        (folder / "a.txt").write_text(TEXT, encoding="utf-8", newline="")
        assert main(["tokenizer", "train", "a.txt", "--kind", kind, "-o", "mine.json"]) == 0
        made = load_tokenizer(folder / "mine.json")
        assert type(made) is cls and made.decode(made.encode(TEXT)) == TEXT

    def test_says_what_it_could_not_do(self, folder: Path, capsys: Captured) -> None:
        (folder / "a.txt").write_bytes(b"a\xff b\xff\xff")
        assert main(["tokenizer", "train", "a.txt", "--vocab-size", "500", "--errors", "replace", "-o", "m.json"]) == 0
        out = capsys.readouterr().out
        assert "note: a.txt: U+FFFD put in place of invalid UTF-8, 3 times" in out
        assert "merges were possible, then no pair was left: the vocabulary has" in out

    def test_nothing_is_replaced_unasked(self, saved: str, folder: Path, capsys: Captured) -> None:
        before = (folder / saved).read_bytes()
        (folder / "a.txt").write_text("text")
        words = ["train", "a.txt", "--kind", "byte", "-o", saved]
        assert refused(words, capsys) == "saved.json is there already: --force replaces it"
        assert (folder / saved).read_bytes() == before
        assert main(["tokenizer", *words, "--force"]) == 0
        assert isinstance(load_tokenizer(folder / saved), ByteTokenizer)

    @pytest.mark.parametrize(
        ("words", "text"),
        [
            (["none*.txt"], "no file matches 'none*.txt' in "),
            (["."], "no file matches '.' in "),
            (["bad.txt"], "bad.txt: not UTF-8 at byte 1 (0xff)"),
            (["a.txt", "--kind", "char", "--vocab-size", "9"], "--vocab-size: a CharTokenizer has no such option; it "),
            (["a.txt", "--kind", "word", "--tie-break", "first"], "--tie-break: a WordTokenizer has no such option; "),
            (["a.txt", "--vocab-size", "9"], "vocab_size=9 is too small: expected at least 257"),
            (["a.txt", "--pattern", "gpt3"], "pattern='gpt3' is no preset and no useful expression"),
            (["a.txt", "--data.seq_len=9"], "--data.seq_len=9: only a recipe has such keys, and a.txt is none"),
            (["a.txt", "--kind", "word", "--format", "tiktoken"], "--format tiktoken: a WordTokenizer is no byte-pair"),
            (["a.txt", "--pattern", "cl100k", "--format", "gpt2"], "--format gpt2 means the pattern gpt2, got cl100k"),
            (
                ["a.txt", "--pattern", "^a|.", "--format", "huggingface"],
                "--format huggingface: the pattern '^a|.' holds '^', which matches at every line in Ruby's syntax",
            ),
            (["a.txt", BASE], "expected one recipe, or text files, got a.txt"),
            ([BASE, "--vocab-size", "300"], f"--vocab-size: {BASE} says what to train on; set its keys, as --data."),
            ([BASE, "--errors", "replace"], f"--errors: {BASE} says what to train on; set its keys, as --data."),
            ([BASE, "--data.tokenizer.vocab_size=300"], f"{BASE}: data.tokenizer.vocab_size: unknown key"),
            (["nothing.yaml"], "nothing.yaml: no such file"),
        ],
    )
    def test_a_mistake_is_one_line_and_leaves_nothing(
        self, words: list[str], text: str, folder: Path, capsys: Captured
    ) -> None:
        (folder / "a.txt").write_text(TEXT, encoding="utf-8")
        (folder / "bad.txt").write_bytes(b"a\xff")
        before = sorted(folder.iterdir())
        assert refused(["train", *words, "-o", "mine.json"], capsys).startswith(text)
        assert sorted(folder.iterdir()) == before

    @pytest.mark.parametrize(
        "words",
        [["--pattern", "a$|.", "--format", "huggingface"], ["--pattern", "none", "--format", "gpt2"]]
        + [["--kind", "char", "--format", form] for form in ("huggingface", "gpt2", "tiktoken")],
    )
    def test_a_format_that_cannot_be_is_refused_before_training(
        self, words: list[str], folder: Path, capsys: Captured, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        (folder / "a.txt").write_text(TEXT, encoding="utf-8")
        monkeypatch.setattr("zoo.commands.tokenizer.train.learn", lambda *_: pytest.fail("it trains"))
        assert refused(["train", "a.txt", *words, "-o", "x"], capsys).startswith(f"--format {words[-1]}")

    def test_a_place_that_is_not_there(self, folder: Path, capsys: Captured) -> None:
        line = refused(["train", "a.txt", "-o", "no/mine.json"], capsys)
        assert line == "no/mine.json: there is no folder no"
        assert refused(["train", "a.txt", "-o", str(folder)], capsys).endswith(
            " is a folder: expected the name of a file"
        )

    @pytest.mark.parametrize("form", ["huggingface", "gpt2"])
    def test_in_the_format_of_others(self, form: str, folder: Path, capsys: Captured) -> None:
        (folder / "a.txt").write_text(TEXT * 5, encoding="utf-8", newline="")
        words = ["train", "a.txt", "--vocab-size", "280", "-o"]
        assert main(["tokenizer", *words, "ours.json"]) == 0
        assert main(["tokenizer", *words, "theirs", "--format", form]) == 0
        assert "already" in refused([*words, "theirs", "--format", form], capsys)
        capsys.readouterr()
        assert main(["tokenizer", "encode", "ours.json", TEXT]) == 0
        ours = capsys.readouterr().out
        assert main(["tokenizer", "encode", "theirs", TEXT]) == 0
        assert capsys.readouterr().out == ours

    def test_a_file_of_others_with_other_special_tokens(self, folder: Path, capsys: Captured) -> None:
        (folder / "a.txt").write_text(TEXT)
        assert main(["tokenizer", "train", "a.txt", "-o", "hf.json", "--format", "huggingface"]) == 0
        body = json.loads((folder / "hf.json").read_text().replace("<|endoftext|>", "<s>"))
        body["post_processor"] = {"type": "TemplateProcessing", "single": [], "pair": [], "special_tokens": {}}
        (folder / "hf.json").write_text(json.dumps(body))
        capsys.readouterr()
        assert main(["tokenizer", "encode", "hf.json", "the<s>", "--special", "allow"]) == 0
        captured = capsys.readouterr()
        assert captured.out.split()[-1] == "0"
        assert "note: hf.json: its post_processor TemplateProcessing is left out" in captured.err

    def test_a_rank_file_says_what_it_does_not_hold(self, folder: Path, capsys: Captured) -> None:
        (folder / "a.txt").write_text(TEXT * 5, encoding="utf-8", newline="")
        words = ["a.txt", "--vocab-size", "280", "--format", "tiktoken", "-o", "mine.tiktoken"]
        assert main(["tokenizer", "train", *words]) == 0
        options = ["--pattern", "gpt2", "--special-tokens", '{"<|endoftext|>": 0}']
        note = f"a rank file holds neither pattern nor special tokens: to read it, say {shlex.join(options)}"
        assert f"note: {note}" in capsys.readouterr().out
        line = refused(["encode", "mine.tiktoken", "a"], capsys)
        assert line.endswith(
            "say --encoding NAME, or --pattern and --special-tokens as zoo tokenizer train printed them"
        )
        assert main(["tokenizer", "train", *words[:3], "-o", "ours.json"]) == 0
        ids = load_tokenizer("ours.json").encode(TEXT)
        (folder / "mine.tiktoken").rename("mine.ranks")  # told by what stands in it
        capsys.readouterr()
        assert main(["tokenizer", "encode", "mine.ranks", TEXT, *options]) == 0
        assert capsys.readouterr().out.split() == [str(i) for i in ids]
        assert main(["tokenizer", "decode", "mine.ranks", *map(str, ids), *options]) == 0
        assert capsys.readouterr().out == TEXT
        (folder / "b.txt").write_text("".join(f"{n} is the thing\n" for n in range(30_000)))
        assert main(["tokenizer", "compare", "mine.ranks", "ours.json", "--corpus", "b.txt", *options, "--json"]) == 0
        rows = json.loads(capsys.readouterr().out)["rows"]
        assert len({row["num_tokens"] for row in rows}) == 1 and len(rows) == 2

    @pytest.mark.parametrize(
        ("options", "text"),
        [
            (["--pattern", "gpt2"], "m.tiktoken: a rank file with --pattern needs --special-tokens, too, at least one"),
            (["--special-tokens", "x"], "--special-tokens x: expected JSON, as '{\"<|endoftext|>\": 0}'"),
            (["--special-tokens", '{"a": "b"}'], '--special-tokens {"a": "b"}: expected JSON, as '),
            (["--encoding", "gpt3"], "m.tiktoken: encoding='gpt3': expected one of gpt2, r50k_base"),
            (["--encoding", "gpt2", "--pattern", "gpt2"], "m.tiktoken: pattern='gpt2' and encoding='gpt2' both say"),
        ],
    )
    def test_what_is_said_of_a_rank_file(
        self, options: list[str], text: str, saved: str, capsys: Captured, folder: Path
    ) -> None:
        write_tiktoken(load_tokenizer(saved), "m.tiktoken")
        assert refused(["encode", "m.tiktoken", "a", *options], capsys).startswith(text)

    def test_other_files_are_not_told(self, saved: str, capsys: Captured) -> None:
        line = refused(["encode", saved, "a", "--pattern", "gpt2"], capsys)
        assert line == "saved.json: --pattern is for rank files alone, and this is none"
        line = refused(["compare", saved, "--encoding", "gpt2"], capsys)
        assert line == "--encoding is for rank files alone, and no tokenizer here is one"

    def test_a_pipe_is_read(self, folder: Path, capsys: Captured, monkeypatch: pytest.MonkeyPatch) -> None:
        reading, writing = os.pipe()
        os.write(writing, TEXT.encode())
        os.close(writing)
        monkeypatch.setattr("zoo.commands.tokenizer.texts.STANDARD_INPUT", f"/dev/fd/{reading}")
        assert main(["tokenizer", "train", "-", "--kind", "char", "-o", "mine.json"]) == 0
        os.close(reading)
        assert f"learned from {len(TEXT.encode())} bytes" in capsys.readouterr().out
        assert load_tokenizer("mine.json").decode(load_tokenizer("mine.json").encode(TEXT)) == TEXT

    def test_standard_output_is_for_the_report(self, folder: Path, capsys: Captured) -> None:
        for name in ("-", "/dev/stdout", "/dev/fd/1"):
            line = refused(["train", "a.txt", "-o", name], capsys)
            assert line == f"{name} is no file, and standard output is for the report: expected the name of a file"

    def test_a_link_that_leads_nowhere_is_not_replaced_unasked(self, folder: Path, capsys: Captured) -> None:
        (folder / "link.json").symlink_to("nowhere")
        assert refused(["train", "a.txt", "-o", "link.json"], capsys) == (
            "link.json is there already: --force replaces it"
        )
        assert (folder / "link.json").is_symlink()

    def test_a_device_or_pipe_is_written_to_as_it_stands(self, folder: Path) -> None:
        (folder / "a.txt").write_text(TEXT, encoding="utf-8")
        os.mkfifo(folder / "pipe")
        reader = os.open(folder / "pipe", os.O_RDONLY | os.O_NONBLOCK)
        assert main(["tokenizer", "train", "a.txt", "--kind", "byte", "-o", "pipe"]) == 0
        (folder / "copy.json").write_bytes(os.read(reader, 2**16))
        os.close(reader)
        assert (folder / "pipe").is_fifo() and isinstance(load_tokenizer("copy.json"), ByteTokenizer)
        assert sorted(entry.name for entry in folder.iterdir()) == ["a.txt", "copy.json", "pipe"]

    def test_a_folder_is_meant(self, saved: str, capsys: Captured) -> None:
        line = refused(["train", "a.txt", "-o", saved, "--format", "gpt2", "--force"], capsys)
        assert line == "saved.json is a file: --format gpt2 writes two, and expects the name of a folder"


class TestEncodeAndDecode:
    def test_there_and_back(self, saved: str, folder: Path, stdin: Any, capsysbinary: Any) -> None:
        (folder / "text").write_text(TEXT, encoding="utf-8", newline="")
        assert main(["tokenizer", "encode", saved, "--file", "text"]) == 0
        ids = capsysbinary.readouterr().out
        assert [int(i) for i in ids.split()] == load_tokenizer(saved).encode(TEXT)
        standard_input = (["encode", saved], ["encode", saved, "-"], ["encode", saved, "--file", "-"])
        for again in (["encode", saved, TEXT], *standard_input):
            stdin(TEXT.encode())
            assert main(["tokenizer", *again]) == 0
            assert capsysbinary.readouterr().out == ids
        listed = str([int(i) for i in ids.split()])
        for given in (ids, listed.encode(), f' \n{{"ids": {listed}, "tokens": ["7"]}}'.encode()):
            stdin(given)
            assert main(["tokenizer", "decode", saved]) == 0
            assert capsysbinary.readouterr().out == TEXT.encode()
        for words in (ids.decode().split(), [listed], [listed[1:-1].replace(" ", "")], listed.split()):
            assert main(["tokenizer", "decode", saved, *words]) == 0
            assert capsysbinary.readouterr().out == TEXT.encode()

    def test_a_stream_longer_than_what_is_read_at_once(
        self, saved: str, stdin: Any, capsysbinary: Any, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        monkeypatch.setattr("zoo.commands.tokenizer.code.READ_BYTES", 7)  # in the middle of characters
        monkeypatch.setattr("zoo.commands.tokenizer.code.WRITTEN_IDS", 5)
        stdin(TEXT.encode())
        assert main(["tokenizer", "encode", saved]) == 0
        ids = capsysbinary.readouterr().out
        assert [int(i) for i in ids.split()] == load_tokenizer(saved).encode(TEXT)
        stdin(ids)
        assert main(["tokenizer", "decode", saved]) == 0
        assert capsysbinary.readouterr().out == TEXT.encode()

    def test_for_programs(self, saved: str, capsys: Captured) -> None:
        assert main(["tokenizer", "encode", saved, "café", "--json"]) == 0
        facts = json.loads(capsys.readouterr().out)
        assert b"".join(map(bytes.fromhex, facts["token_bytes"])) == "café".encode()
        assert facts["num_bytes"] == 5 and facts["num_tokens"] == len(facts["ids"]) == len(facts["tokens"])
        assert facts["bytes_per_token"] == 5 / facts["num_tokens"] and facts["lost"] == []
        assert main(["tokenizer", "decode", saved, *map(str, facts["ids"]), "--json"]) == 0
        assert json.loads(capsys.readouterr().out) == {
            "text": "café",
            "bytes": "café".encode().hex(),
            "num_tokens": facts["num_tokens"],
        }

    def test_a_lossy_tokenizer_says_what_it_lost(self, folder: Path, capsys: Captured) -> None:
        words = WordTokenizer(vocab_size=4)
        words.train(["the the cat"])
        words.save(folder / "words.json")
        assert main(["tokenizer", "encode", "words.json", "the dog", "--json"]) == 0
        facts = json.loads(capsys.readouterr().out)
        assert facts["lost"] == ["dog"] and facts["ids"] == words.encode("the dog")

    def test_special_tokens_in_text(self, saved: str, capsys: Captured) -> None:
        text, tokenizer = "the<|endoftext|>", load_tokenizer(saved)
        for rule, ids in (
            ("allow", tokenizer.encode(text, allowed_special="all")),
            ("plain", tokenizer.encode(text, disallowed_special=())),
        ):
            assert main(["tokenizer", "encode", saved, text, "--special", rule]) == 0
            assert capsys.readouterr().out.split() == [str(i) for i in ids]
        assert refused(["encode", saved, text], capsys) == (
            "TEXT: the text holds the special token '<|endoftext|>': allow it (--special allow), or encode it as "
            "plain text (--special plain)"
        )

    @pytest.mark.parametrize(
        ("words", "text"),
        [
            (["encode", "save.json", "a"], "save.json: no such file; did you mean 'saved.json'?"),
            (["encode", "text", "a"], "text is no saved tokenizer: it is not JSON"),
            (["encode", "list.json", "a"], "list.json is no saved tokenizer: it lacks 'tokenizer'"),
            (["encode", BASE, "a"], f"{BASE} is a recipe: train it first, with zoo tokenizer train {BASE} -o "),
            (["encode", "saved.json", "a", "--file", "text"], "expected TEXT or --file, got both"),
            (["encode", "saved.json", "--file", "none"], "none: no such file"),
            (["encode", "saved.json", "--file", "text"], "text: not UTF-8 at byte 3 (0xff)"),
            (["encode", "saved.json"], "standard input: not UTF-8 at byte 4 (0xc3)"),
            (["encode", "saved.json", "a\udcff"], "TEXT: the text holds the lone surrogate U+DCFF at index 1"),
            (["decode", "saved.json", "270"], "saved.json: id 270 is not in [0, 270)"),
            (["decode", "saved.json", "-1"], "saved.json: id -1 is not in [0, 270)"),
            (["decode", "saved.json", "1", "x"], "saved.json: expected ids as whole numbers, got 'x'"),
            (["decode", "saved.json", "1_0"], "saved.json: expected ids as whole numbers, got '1_0'"),
            (["decode", "saved.json", "٦٦"], "saved.json: expected ids as whole numbers, got '٦٦'"),
            (["decode", "saved.json", "9" * 30], "saved.json: expected ids as whole numbers, got '999"),
            (["decode", "saved.json", '{"id": [1]}'], "saved.json: expected ids, or a JSON object with a list of them"),
            (["decode", "saved.json", '{"ids": [true]}'], "saved.json: expected ids as whole numbers, got 'True'"),
            (["encode", "saved.json", "hello", "world"], "unknown argument 'world': expected one TEXT, in quotes; see"),
            (["encode", "saved.json", "a", "--jso"], "unknown argument '--jso'; did you mean '--json'? see --help"),
            (["encode", "saved.json", "-zzzz"], f"unknown argument '-zzzz': {BEHIND_DASHES}"),
        ],
    )
    def test_a_mistake_is_one_line(
        self, words: list[str], text: str, saved: str, folder: Path, stdin: Any, capsys: Captured
    ) -> None:
        (folder / "text").write_bytes(b"abc\xff")
        (folder / "list.json").write_text("[]")
        stdin("1234é".encode()[:-1])
        assert refused(words, capsys).startswith(text)


class TestCompare:
    def test_figures_are_those_of_the_held_out_text(
        self, corpus: Path, small_recipe: str, folder: Path, capsys: Captured
    ) -> None:
        words = ["compare", small_recipe, "--corpus", small_recipe, "--d-model", "64", "--json", "--plot", "p.png"]
        assert main(["tokenizer", *words]) == 0
        captured = capsys.readouterr()
        (row,) = json.loads(captured.out)["rows"]
        documents = list(TextFiles(paths=[str(corpus)]).documents())
        train = [text for text in documents if split_of(text, SHARES) == "train"]
        held_out = [text for text in documents if split_of(text, SHARES) == "validation"]
        tokenizer = WordTokenizer(vocab_size=20)
        tokenizer.train(train)
        num_bytes = sum(len(text.encode()) for text in held_out)
        num_tokens = sum(len(tokenizer.encode(text)) for text in held_out)
        lost = [piece for text in held_out for piece in tokenizer.lost(text)]
        assert lost, "the vocabulary is small enough for some"
        assert row["vocab_size"] == 20 and row["lossless"] is False and row["is_restored"] is False
        assert (row["num_bytes"], row["num_tokens"]) == (num_bytes, num_tokens)
        assert row["bytes_per_token"] == num_bytes / num_tokens
        assert row["tokens_per_word"] == num_tokens / sum(len(text.split()) for text in held_out)
        assert row["unknown_byte_share"] == sum(map(len, lost)) / num_bytes
        assert row["unknown_token_share"] == len(lost) / num_tokens
        assert row["embedding_params_tied"] == 20 * 64 and row["embedding_params_untied"] == 2 * 20 * 64
        seq_len = row["tokens_per_megabyte"]
        assert seq_len - 1 < 1e6 / row["bytes_per_token"] <= seq_len
        assert row["attention_flops_per_megabyte"] == 2 * 64 * seq_len * (seq_len + 1)
        assert row["tokens_per_second"] > 0
        assert (folder / "p.png").read_bytes().startswith(b"\x89PNG\r\n\x1a\n") and "plot: p.png" in captured.err

    def test_a_row_per_tokenizer_and_corpus(self, corpus: Path, saved: str, folder: Path, capsys: Captured) -> None:
        lines = [f"{number} reads the small model, and writes é\n" for number in range(9000)]
        (folder / "one.txt").write_text("".join(lines), encoding="utf-8")
        ByteTokenizer().save(folder / "bytes.json")
        words = ["compare", saved, "bytes.json", "--corpus", "one.txt", "--corpus", str(corpus), "--json"]
        assert main(["tokenizer", *words]) == 0
        body = json.loads(capsys.readouterr().out)
        rows = {(row["tokenizer"], row["corpus"]): row for row in body["rows"]}
        assert set(rows) == {(name, text) for name in ("saved", "bytes") for text in ("one.txt", str(corpus))}
        assert all(row["is_restored"] for row in body["rows"])
        assert rows["bytes", "one.txt"]["bytes_per_token"] == 1.0
        assert rows["saved", "one.txt"]["bytes_per_token"] > 1.0
        notes = "\n".join(body["notes"])
        assert "one.txt: too few documents to hold some out (1): cut at line ends into" in notes
        assert "saved was trained elsewhere: it may know the held-out text." in notes
        assert "fingerprint " + TextFiles(paths=["one.txt"]).fingerprint()[:12] in notes

    @pytest.mark.slow
    def test_with_nothing_named(self, capsys: Captured) -> None:
        assert main(["tokenizer", "compare"]) == 0
        out = capsys.readouterr().out
        lines = [line.split() for line in out.splitlines()]
        assert [line[:2] for line in lines if line[:1] == ["bpe"]] == [["bpe", n] for n in ("1024", "4096", "16384")]
        assert any(line[:3] == ["byte", "257", "1.000"] for line in lines)
        assert "PythonDocs, fingerprint" in out and "WARNING" not in out

    def test_recipes_bring_their_text(self, small_recipe: str, folder: Path, capsys: Captured) -> None:
        (folder / "other.yaml").write_text("base: small.yaml\ndata:\n  tokenizer: CharTokenizer\n")
        assert main(["tokenizer", "compare", small_recipe, "other.yaml"]) == 0
        out = capsys.readouterr().out
        assert "TextFiles, fingerprint" in out and "PythonDocs" not in out
        assert [line.split()[0] for line in out.splitlines()[4:6]] == ["small", "other"]

    def test_a_tokenizer_that_breaks_its_word(self, corpus: Path, folder: Path, capsys: Captured) -> None:
        (folder / "broken_words.py").write_text(
            "from zoo.tokenizers import Tokenizer\n"
            "import numpy as np\n"
            "class Shouting(Tokenizer):\n"
            "    vocab_size = 257\n"
            "    def train(self, texts): pass\n"
            "    def encode_array(self, text):\n"
            "        return np.frombuffer(text.upper().encode(), dtype=np.uint8) + np.uint32(1)\n"
            "    def decode_bytes(self, ids): return (np.asarray(ids) - 1).astype(np.uint8).tobytes()\n"
            "    def state(self): return {}\n"
            "    def load_state(self, state): pass\n"
        )
        (folder / "broken.yaml").write_text(f"base: {BASE}\ndata:\n  tokenizer: broken_words.Shouting\n")
        assert main(["tokenizer", "compare", "broken.yaml", "--corpus", str(corpus)]) == 0
        assert f"WARNING: broken does not give the text of {corpus} back" in capsys.readouterr().out

    def test_a_tokenizer_of_others_in_a_recipe(self, corpus: Path, saved: str, folder: Path, capsys: Captured) -> None:
        write_huggingface(load_tokenizer(saved), folder / "hf.json")
        (folder / "theirs.yaml").write_text(
            f"base: {BASE}\ndata:\n  tokenizer:\n    class_path: zoo.interop.PretrainedTokenizer\n"
            "    init_args: {path: hf.json}\n"
        )
        assert main(["tokenizer", "compare", "theirs.yaml", "hf.json", saved, "--corpus", str(corpus), "--json"]) == 0
        body = json.loads(capsys.readouterr().out)
        assert [row["tokenizer"] for row in body["rows"]] == ["theirs", "hf", "saved"]
        assert len({row["num_tokens"] for row in body["rows"]}) == 1
        for name in ("theirs", "hf", "saved"):
            assert f"{name} was trained elsewhere: it may know the held-out text." in body["notes"]

    @pytest.mark.parametrize(
        ("words", "text"),
        [
            (["none.json"], "none.json: no such file"),
            (["--corpus", "none.txt"], "none.txt: no file matches 'none.txt' in "),
            (["--corpus", "small.txt"], "small.txt: too little text: train has 1 documents"),
            (["--plot", "p.pdf"], "--plot p.pdf: expected the name of a .png file in a folder that is there"),
            (["--plot", "there.png"], "there.png is there already: --force replaces it"),
            (["--plot", "no/p.png"], "--plot no/p.png: expected the name of a .png file"),
        ],
    )
    def test_a_mistake_is_one_line(self, words: list[str], text: str, folder: Path, capsys: Captured) -> None:
        (folder / "small.txt").write_text("a b c")
        (folder / "there.png").write_text("a picture")
        assert refused(["compare", *words], capsys).startswith(text)


def test_what_the_readme_says_of_python_and_recipes(folder: Path, saved: str, monkeypatch: pytest.MonkeyPatch) -> None:
    section = (ROOT / "README.md").read_text(encoding="utf-8").partition("## Tokenizers")[2].partition("\n## ")[0]
    code = re.findall(r"^```python\n(.*?)^```", section, re.MULTILINE | re.DOTALL)
    written = re.findall(r"^```yaml\n(.*?)^```", section, re.MULTILINE | re.DOTALL)
    assert len(code) == len(written) == 1
    (folder / saved).rename("bpe.json")
    exec(compile(code[0], "README.md", "exec"), {})
    (folder / "theirs.yaml").write_text(f"base: {BASE}\n{written[0]}")
    tokenizer = load_recipe(folder / "theirs.yaml").built.data.tokenizer
    tokenizer.train([])
    assert tokenizer.encode(TEXT) == load_tokenizer("bpe.json").encode(TEXT)
    assert tokenizer.special_ids == {"<|endoftext|>": 0}


def test_a_text_that_begins_with_a_dash(saved: str, capsys: Captured) -> None:
    assert main(["tokenizer", "encode", saved, "--", "-hello"]) == 0
    assert load_tokenizer(saved).decode([int(i) for i in capsys.readouterr().out.split()]) == "-hello"
    with pytest.raises(SystemExit, match="2"):  # -h, to argparse
        main(["tokenizer", "encode", saved, "-hello"])
    assert BEHIND_DASHES in capsys.readouterr().err


def test_help_names_the_presets() -> None:
    assert all(name in PRESETS for name in PATTERNS)


@pytest.mark.parametrize(
    ("words", "said"),
    [
        (["fit", "r.yaml"], "; up to its last checkpoint nothing is lost: --resume goes on from there"),
        (["fit", "r.yaml", "--print"], ""),
        (["ablate", "a.yaml"], "; nothing that was done is lost: run the same command again to go on"),
        (["ablate", "a.yaml", "--check"], ""),
        (["data", "build", "r.yaml"], "; a store is written whole or not at all: run the same command again to build"),
        (["data", "report", "r.yaml"], ""),
        (["tokenizer", "train", "a.txt", "-o", "x.json"], "; no tokenizer was saved: training starts over"),
        (["tokenizer", "compare"], ""),
        (["list"], ""),
    ],
)
def test_who_stops_a_command_is_told_the_truth(
    words: list[str], said: str, capsys: Captured, monkeypatch: pytest.MonkeyPatch
) -> None:
    def stopped(name: str) -> None:
        raise KeyboardInterrupt

    monkeypatch.setattr("zoo.cli.importlib.import_module", stopped)
    assert main(words) == 130
    line = capsys.readouterr().err.strip()
    assert line.startswith("stopped" + said) and (said or line == "stopped")


def test_passages_join_to_the_text() -> None:
    text = "".join(f"{'x' * (n % 900)}\n" for n in range(3000)) + "no line end"
    found = list(passages(text))
    assert "".join(found) == text and len(found) > 100
    assert all(piece.endswith("\n") and 2000 <= len(piece) < 3000 for piece in found[:-1])
    assert list(passages("")) == []


def test_who_waits_for_compilation_is_told(
    saved: str, folder: Path, capsys: Captured, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(compiling, "is_compiled", lambda work: False)
    assert main(["tokenizer", "encode", saved, "a"]) == 0
    assert compiling.COMPILING in capsys.readouterr().err
    ByteTokenizer().save(folder / "bytes.json")
    assert main(["tokenizer", "encode", "bytes.json", "a"]) == 0
    assert compiling.COMPILING not in capsys.readouterr().err, "it needs none"


def test_compiled_code_is_found_on_disk(saved: str) -> None:
    load_tokenizer(saved).decode(load_tokenizer(saved).encode(TEXT))  # compiles what is not there yet
    assert all(compiling.is_compiled(work) for work in compiling.WORKS)
