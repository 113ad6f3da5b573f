"""How fast byte-pair encoding is beside `tiktoken` and `tokenizers`: same text, same vocabulary, same ids, in turn.

python benchmarks/tokenizers.py                 # all of it, about ten minutes on one core
python benchmarks/tokenizers.py --part train    # one part, printed and not written

zoo keeps the words it has met. In every round it encodes the text with an instance that has met other documents of the
same corpus but none of these, as in the midst of a long text; the rows "1 thread" and "2 threads" begin with nothing.
Both kinds of answer are timed: arrays (`encode_to_numpy` of tiktoken, `encode_batch` of zoo) and lists of Python's
numbers.
"""

from __future__ import annotations

import argparse
import hashlib
import importlib.metadata
import json
import os
import resource
import subprocess
import sys
import tempfile
import threading
import time
from collections.abc import Callable, Iterator, Sequence
from pathlib import Path
from typing import Any

from _results import spread, write

sys.path.remove(str(Path(__file__).resolve().parent))  # this file bears the name of a peer
ROUNDS = 5
VOCAB_SIZE = 32_768
SAMPLE_BYTES = 4_000_000  # of a text that all three encode; `tokenizers` takes seconds for it
STREAM_BYTES = 10**9
END = "<|endoftext|>"


def library(*, tests: bool) -> list[str]:
    """Sources of the standard library, a document per module."""
    from zoo.data import PythonDocs

    return list(PythonDocs(kinds=["source"], include_tests=tests).documents())


def prose() -> list[str]:
    """English: the language reference and all docstrings."""
    from zoo.data import PythonDocs

    return list(PythonDocs().documents())


def about(texts: list[str]) -> dict[str, Any]:
    digest = hashlib.sha256()
    for text in texts:
        digest.update(text.encode() + b"\0")
    return {"documents": len(texts), "bytes": num_bytes(texts), "sha256": digest.hexdigest()[:16]}


def num_bytes(texts: list[str]) -> int:
    return sum(len(text.encode()) for text in texts)


def spread_over(texts: list[str], size: int) -> tuple[list[str], list[str]]:
    """Documents from all over a corpus, of about `size` bytes together but not more than half, and the others."""
    step = max(2, round(num_bytes(texts) / size))
    return texts[::step], [text for i, text in enumerate(texts) if i % step]


def in_turn(work: dict[str, Callable[[], Any]], rounds: int = ROUNDS) -> dict[str, list[float]]:
    """Seconds of each, one after another in every round, so that a slow spell of the machine hits all alike."""
    seconds: dict[str, list[float]] = {name: [] for name in work}
    for _ in range(rounds):
        for name, run in work.items():
            began = time.perf_counter()
            run()
            seconds[name].append(time.perf_counter() - began)
    return seconds


def trained() -> Any:
    """zoo's tokenizer, trained as `tokenizers` would, so that both have one vocabulary."""
    from zoo.tokenizers import BPETokenizer

    tokenizer = BPETokenizer(vocab_size=VOCAB_SIZE, tie_break="huggingface")
    tokenizer.train(library(tests=False) + prose())
    return tokenizer


def peers(tokenizer: Any) -> tuple[Any, Any]:
    """The same vocabulary in tiktoken and in `tokenizers`."""
    import tiktoken
    import tokenizers

    from zoo.interop import write_huggingface
    from zoo.tokenizers._pretokens import PATTERNS

    ranks = {tokenizer.decode_bytes([i]): i for i in range(1, tokenizer.vocab_size)}
    theirs = tiktoken.Encoding("zoo", pat_str=PATTERNS["gpt2"], mergeable_ranks=ranks, special_tokens={END: 0})
    with tempfile.TemporaryDirectory() as folder:
        path = Path(folder) / "tokenizer.json"
        write_huggingface(tokenizer, path)
        return theirs, tokenizers.Tokenizer.from_file(str(path))


def fresh(tokenizer: Any, met: Sequence[str] = ()) -> Any:
    """A copy that has met the words of these texts alone."""
    from zoo.tokenizers import BPETokenizer

    copy = BPETokenizer(vocab_size=VOCAB_SIZE, tie_break="huggingface")
    copy.load_state(tokenizer.state())
    copy.model.encode("")
    copy.model._workspaces.clear()
    copy.encode_batch([*met, ""])
    return copy


def encoding(tokenizer: Any) -> list[dict[str, Any]]:
    theirs, hugging_face = peers(tokenizer)
    rows = []
    for name, texts in (("standard-library source", library(tests=False)), ("English prose", prose())):
        texts, others = spread_over(texts, SAMPLE_BYTES)
        ids = [array.tolist() for array in tokenizer.encode_batch(texts)]
        assert ids == [theirs.encode_ordinary(text) for text in texts]
        assert ids == [encoding.ids for encoding in hugging_face.encode_batch_fast(texts, add_special_tokens=False)]
        copies = iter([fresh(tokenizer, others) for _ in range(2 * ROUNDS)])

        def zoo_arrays(texts: list[str] = texts, copies: Iterator[Any] = copies) -> None:
            next(copies).encode_batch(texts)

        def zoo_lists(texts: list[str] = texts, copies: Iterator[Any] = copies) -> None:
            encode = next(copies).encode_ordinary
            [encode(text) for text in texts]

        def tiktoken_arrays(texts: list[str] = texts) -> None:
            [theirs.encode_to_numpy(text, disallowed_special=()) for text in texts]

        def tiktoken_lists(texts: list[str] = texts) -> None:
            [theirs.encode_ordinary(text) for text in texts]

        def hugging_face_lists(texts: list[str] = texts) -> None:
            [found.ids for found in hugging_face.encode_batch_fast(texts, add_special_tokens=False)]

        seconds = in_turn(
            {
                "zoo, arrays": zoo_arrays,
                "zoo, lists": zoo_lists,
                "tiktoken, arrays": tiktoken_arrays,
                "tiktoken, lists": tiktoken_lists,
                "tokenizers, lists": hugging_face_lists,
            }
        )
        rows.append(row(f"encode {name}", texts, seconds, tokens=sum(map(len, ids))))
    return rows


def row(what: str, texts: list[str], seconds: dict[str, list[float]], **more: Any) -> dict[str, Any]:
    size = num_bytes(texts)
    rates = {name: size / spread(values)["median"] / 1e6 for name, values in seconds.items()}
    return {
        "work": what,
        "text": about(texts),
        **more,
        "seconds": {name: spread(values) for name, values in seconds.items()},
        "megabytes_per_second": rates,
    }


def short_texts(tokenizer: Any) -> list[dict[str, Any]]:
    """One call per line: what a call costs beside its work."""
    theirs, _ = peers(tokenizer)
    lines = [line for text in spread_over(prose(), 500_000)[0] for line in text.splitlines() if line]
    seconds = in_turn(
        {
            "zoo, lists": lambda: [tokenizer.encode_ordinary(line) for line in lines],
            "zoo, one batch of arrays": lambda: tokenizer.encode_batch(lines),
            "tiktoken, lists": lambda: [theirs.encode_ordinary(line) for line in lines],
        }
    )
    return [row("encode lines of prose, a call each", lines, seconds)]


def decoding(tokenizer: Any) -> list[dict[str, Any]]:
    theirs, _ = peers(tokenizer)
    texts = library(tests=False)
    arrays = tokenizer.encode_batch(texts)
    lists = [array.tolist() for array in arrays]
    assert [tokenizer.decode(ids) for ids in lists] == texts == [theirs.decode(ids) for ids in lists]
    seconds = in_turn(
        {
            "zoo, from arrays": lambda: [tokenizer.decode(ids) for ids in arrays],
            "zoo, from lists": lambda: [tokenizer.decode(ids) for ids in lists],
            "tiktoken, from lists": lambda: [theirs.decode(ids) for ids in lists],
        }
    )
    return [row("decode", texts, seconds)]


def threads(tokenizer: Any) -> list[dict[str, Any]]:
    """The only part on two cores."""
    texts = library(tests=True)
    copies = iter([fresh(tokenizer) for _ in range(2 * ROUNDS)])
    seconds = in_turn(
        {
            "1 thread": lambda: next(copies).encode_batch(texts),
            "2 threads": lambda: next(copies).encode_batch(texts, num_threads=2),
        }
    )
    return [row("encode over documents", texts, seconds)]


def training() -> list[dict[str, Any]]:
    """Each training in a process of its own, for its peak memory; in turn, as everything else."""
    texts = library(tests=True)
    found: dict[str, list[dict[str, float]]] = {"zoo": [], "tokenizers": []}
    for _ in range(3):
        for name, results in found.items():
            results.append(_child(f"train-{name}"))
    result = row("train 32k merges", texts, {n: [r["seconds"] for r in results] for n, results in found.items()})
    result["peak_memory_bytes_over_text"] = {n: max(r["bytes"] for r in results) for n, results in found.items()}
    assert len({r["sha256"] for results in found.values() for r in results}) == 1, "not the same vocabulary"
    return [result]


def train_one(name: str) -> dict[str, Any]:
    texts = library(tests=True)
    if name == "zoo":
        from zoo.tokenizers import BPETokenizer

        BPETokenizer(vocab_size=300).train(["compiled before the clock runs"])
        tokenizer = BPETokenizer(vocab_size=VOCAB_SIZE, tie_break="huggingface")
        base = _peak()
        began = time.perf_counter()
        tokenizer.train(texts)
        seconds = time.perf_counter() - began
        tokens = [a + b for a, b in tokenizer.merges]
    else:
        import tokenizers

        theirs = tokenizers.Tokenizer(tokenizers.models.BPE())
        theirs.pre_tokenizer = tokenizers.pre_tokenizers.ByteLevel(add_prefix_space=False)
        trainer = tokenizers.trainers.BpeTrainer(
            vocab_size=VOCAB_SIZE,
            special_tokens=[END],
            initial_alphabet=tokenizers.pre_tokenizers.ByteLevel.alphabet(),
            show_progress=False,
        )
        base = _peak()
        began = time.perf_counter()
        theirs.train_from_iterator(texts, trainer)
        seconds = time.perf_counter() - began
        names = sorted(theirs.get_vocab().items(), key=lambda item: item[1])[257:]
        alphabet = _alphabet()
        tokens = [bytes(alphabet[char] for char in name) for name, _ in names]
    digest = hashlib.sha256(b"\0".join(tokens)).hexdigest()
    return {"seconds": seconds, "bytes": _peak() - base, "sha256": digest}


def _alphabet() -> dict[str, int]:
    from zoo.tokenizers._bpe_train import PRINTABLE

    others = [byte for byte in range(256) if byte not in PRINTABLE]
    return {chr(byte): byte for byte in PRINTABLE} | {chr(256 + i): byte for i, byte in enumerate(others)}


def small_training() -> list[dict[str, Any]]:
    from zoo.tokenizers import BPETokenizer

    text = "\n".join(prose())[:130_000]
    BPETokenizer(vocab_size=300).train([text])
    seconds = in_turn({"zoo": lambda: BPETokenizer(vocab_size=257 + 500).train([text])})
    return [row("train 500 merges on 130 kB", [text], seconds)]


def stream(tokenizer: Any) -> list[dict[str, Any]]:
    """A gigabyte through `encode_iterable`, one token after another; resident memory is sampled meanwhile."""
    texts = library(tests=True)
    list(tokenizer.encode_iterable(texts[:50]))

    def lines() -> Iterator[str]:
        done = 0
        while True:
            for text in texts:
                for line in text.splitlines(keepends=True):
                    yield line
                    done += len(line)
                    if done >= STREAM_BYTES:
                        return

    base = _resident()
    highest, stop = [base], threading.Event()

    def watch() -> None:
        while not stop.wait(0.05):
            highest.append(_resident())

    watcher = threading.Thread(target=watch)
    watcher.start()
    began, tokens = time.perf_counter(), 0
    for _ in tokenizer.encode_iterable(lines()):
        tokens += 1
    seconds = time.perf_counter() - began
    stop.set()
    watcher.join()
    return [
        {
            "work": "encode_iterable over a stream of lines",
            "bytes": STREAM_BYTES,
            "tokens": tokens,
            "seconds": {"zoo": spread([seconds])},
            "peak_memory_bytes_over_base": max(highest) - base,
        }
    ]


def compilation() -> list[dict[str, Any]]:
    """First use ever, and first use in a process."""
    with tempfile.TemporaryDirectory() as folder:
        kept = {"NUMBA_CACHE_DIR": folder}
        first, later = _child("first-use", **kept), _child("first-use", **kept)
    return [
        {
            "work": "first use: train, encode, decode a line",
            "seconds": {
                "first ever, compiles and keeps the code": spread([first["seconds"]]),
                "first in a process": spread([later["seconds"]]),
            },
        }
    ]


def first_use() -> dict[str, float]:
    began = time.perf_counter()
    from zoo.tokenizers import BPETokenizer

    tokenizer = BPETokenizer(vocab_size=300)
    tokenizer.train(["low lower lowest"])
    tokenizer.decode(tokenizer.encode("low lowest"))
    return {"seconds": time.perf_counter() - began}


def _child(part: str, **environment: str) -> dict[str, float]:
    done = subprocess.run(
        [sys.executable, __file__, "--child", part],
        capture_output=True,
        text=True,
        env=os.environ | environment,
        check=True,
    )
    return json.loads(done.stdout.splitlines()[-1])


def _peak() -> int:
    return resource.getrusage(resource.RUSAGE_SELF).ru_maxrss * 1024


def _resident() -> int:
    return int(Path("/proc/self/statm").read_text().split()[1]) * os.sysconf("SC_PAGE_SIZE")


def one_core() -> None:
    """Peers take threads where they see cores."""
    os.environ.update(RAYON_NUM_THREADS="1", TOKENIZERS_PARALLELISM="false", OMP_NUM_THREADS="1")
    os.sched_setaffinity(0, {min(os.sched_getaffinity(0))})


PARTS: dict[str, tuple[Callable[..., list[dict[str, Any]]], bool, bool]] = {
    # part: (function, whether it takes the tokenizer, whether it runs on one core)
    "train": (training, False, False),
    "threads": (threads, True, False),
    "small": (small_training, False, True),
    "encode": (encoding, True, True),
    "short": (short_texts, True, True),
    "decode": (decoding, True, True),
    "stream": (stream, True, True),
    "compile": (compilation, False, True),
}


def show(found: dict[str, Any]) -> None:
    print(found["work"], f"({found['text']['bytes']:,} bytes)" if "text" in found else "")
    for name, seconds in found["seconds"].items():
        rate = found.get("megabytes_per_second", {}).get(name)
        memory = found.get("peak_memory_bytes_over_text", {}).get(name)
        print(
            f"  {name:<42}{seconds['median']:9.3f} s"
            + (f"{rate:9.1f} MB/s" if rate else "")
            + (f"{memory / 2**20:9.0f} MiB" if memory is not None else "")
        )
    if "peak_memory_bytes_over_base" in found:
        print(f"  {found['peak_memory_bytes_over_base'] / 2**20:.1f} MiB over the base")


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--part", choices=PARTS, help="one part; nothing is written")
    parser.add_argument("--child", help=argparse.SUPPRESS)
    arguments = parser.parse_args()
    if arguments.child:
        print(json.dumps(first_use() if arguments.child == "first-use" else train_one(arguments.child[6:])))
        return
    rows, tokenizer, cores = [], None, os.sched_getaffinity(0)
    for part, (measure, takes_tokenizer, alone) in PARTS.items():
        if arguments.part not in (None, part):
            continue
        if alone:
            one_core()
        else:
            os.sched_setaffinity(0, cores)
        if takes_tokenizer and tokenizer is None:
            tokenizer = trained()
        for found in measure(tokenizer) if takes_tokenizer else measure():
            found["cores"] = 1 if alone else len(cores)
            show(found)
            rows.append(found)
    if not arguments.part:
        versions = {name: importlib.metadata.version(name) for name in ("tiktoken", "tokenizers", "numba")}
        rows.append({"work": "versions of peers", **versions})
        print(write("tokenizers", rows))


if __name__ == "__main__":
    main()
