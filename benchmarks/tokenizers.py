"""How fast byte-pair encoding is beside `tiktoken` and `tokenizers`: same text, same vocabulary, same ids, in turn.

python benchmarks/tokenizers.py                 # all of it, about six minutes
python benchmarks/tokenizers.py --part train    # one part, printed and not written

zoo and `tokenizers` keep words that they have met. In every round each encodes the text with a new instance that has
met other documents of the same corpus and none of these, as in the midst of a long text; tiktoken, which keeps nothing,
encodes some of these others just before its clock runs. The rows "1 thread" and "2 threads" begin with nothing. Both
kinds of answer are timed: arrays (`encode_to_numpy` of tiktoken, `encode_arrays` of zoo) and lists of Python's numbers.
"""

from __future__ import annotations

import argparse
import importlib.metadata
import json
import multiprocessing
import os
import subprocess
import sys
import tempfile
import threading
import time
from collections.abc import Callable, Iterator
from functools import partial
from pathlib import Path
from typing import Any

from _bpe_texts import about, fresh, num_bytes, peers, prose, spread_over, trained
from _bpe_training import TRAINERS, library
from _results import spread, write

sys.path.remove(str(Path(__file__).resolve().parent))  # this file bears the name of a peer
ROUNDS = 7
ROUND_SECONDS = 0.1
SAMPLE_BYTES = 4_000_000  # of a text that all three encode; `tokenizers` takes seconds for it
STREAM_BYTES = 10**9
WARM_BYTES = 500_000  # of other documents, encoded before the clock runs


Work = Callable[[], Any]


def in_turn(work: dict[str, Work | tuple[Work, Work]], rounds: int = ROUNDS) -> dict[str, list[float]]:
    """Seconds of each, one after another in every round, so that a slow spell of the machine hits all alike. Of two,
    the first comes before the clock runs. What is quick runs up to five times in a round: a median of few milliseconds
    says little."""
    seconds: dict[str, list[float]] = {name: [] for name in work}
    for _ in range(rounds):
        for name, run in work.items():
            prepare, work_of_round = run if isinstance(run, tuple) else (None, run)
            spent: list[float] = []
            while not spent or (len(spent) < 5 and sum(spent) < ROUND_SECONDS):
                if prepare is not None:
                    prepare()
                began = time.perf_counter()
                work_of_round()
                spent.append(time.perf_counter() - began)
            seconds[name] += spent
    return seconds


def encoding(tokenizer: Any) -> list[dict[str, Any]]:
    from tokenizers import Tokenizer as Peer

    theirs, hugging_face = peers(tokenizer)
    written, rows = hugging_face.to_str(), []
    for name, corpus in (("standard-library source", library(tests=False)), ("English prose", prose())):
        texts, others = spread_over(corpus, SAMPLE_BYTES)
        some, _ = spread_over(others, WARM_BYTES)
        ids = [array.tolist() for array in tokenizer.encode_arrays(texts)]
        assert ids == [theirs.encode_ordinary(text) for text in texts]
        assert ids == [encoding.ids for encoding in hugging_face.encode_batch_fast(texts, add_special_tokens=False)]
        of_zoo: list[Any] = []
        of_hugging_face: list[Any] = []

        def meet(of_zoo: list[Any] = of_zoo, others: list[str] = others) -> None:
            of_zoo[:] = [fresh(tokenizer, others)]

        def meet_too(of_hugging_face: list[Any] = of_hugging_face, others: list[str] = others) -> None:
            of_hugging_face[:] = [Peer.from_str(written)]
            of_hugging_face[0].encode_batch_fast(others, add_special_tokens=False)

        encoders: dict[str, tuple[Callable[[list[str]], Any], Work | None]] = {
            "zoo, arrays": (lambda texts, of_zoo=of_zoo: of_zoo[0].encode_arrays(texts), meet),
            "zoo, lists": (lambda texts, of_zoo=of_zoo: [of_zoo[0].encode_ordinary(text) for text in texts], meet),
            "tiktoken, arrays": (
                lambda texts: [theirs.encode_to_numpy(text, disallowed_special=()) for text in texts],
                None,
            ),
            "tiktoken, lists": (lambda texts: [theirs.encode_ordinary(text) for text in texts], None),
            "tokenizers, lists": (
                lambda texts, it=of_hugging_face: [
                    e.ids for e in it[0].encode_batch_fast(texts, add_special_tokens=False)
                ],
                meet_too,
            ),
        }
        seconds = in_turn(
            {
                name: (meeting or partial(encode, some), partial(encode, texts))
                for name, (encode, meeting) in encoders.items()
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
            "zoo, one batch of arrays": lambda: tokenizer.encode_arrays(lines),
            "tiktoken, lists": lambda: [theirs.encode_ordinary(line) for line in lines],
        }
    )
    return [row("encode lines of prose, a call each", lines, seconds)]


def decoding(tokenizer: Any) -> list[dict[str, Any]]:
    theirs, _ = peers(tokenizer)
    texts = library(tests=False)
    arrays = tokenizer.encode_arrays(texts)
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
    """The only part on two cores; and what the machine allows: processes that share nothing, not even a lock."""
    texts = library(tests=True)
    copy: list[Any] = []

    def begin() -> None:
        copy[:] = [fresh(tokenizer)]

    seconds = in_turn(
        {
            "1 thread": (begin, lambda: copy[0].encode_arrays(texts)),
            "2 threads": (begin, lambda: copy[0].encode_arrays(texts, num_threads=2)),
        }
    )
    halves = [texts[::2], texts[1::2]]
    control = {"each alone": [], "both at once": []}
    for _ in range(ROUNDS):
        control["each alone"].append(sum(_in_processes(tokenizer, [half]) for half in halves))
        control["both at once"].append(_in_processes(tokenizer, halves))
    return [
        row("encode over documents", texts, seconds),
        row("the same in processes that share nothing, half of the text each", texts, control),
    ]


def _in_processes(tokenizer: Any, shares: list[list[str]]) -> float:
    """Seconds until all have encoded their share; they begin together."""
    fork = multiprocessing.get_context("fork")
    start, seconds = fork.Barrier(len(shares)), fork.Queue()

    def work(share: list[str]) -> None:
        copy = fresh(tokenizer)
        start.wait()
        began = time.perf_counter()
        copy.encode_arrays(share)
        seconds.put(time.perf_counter() - began)

    processes = [fork.Process(target=work, args=(share,)) for share in shares]
    for process in processes:
        process.start()
    slowest = max(seconds.get() for _ in processes)
    for process in processes:
        process.join()
    return slowest


def training() -> list[dict[str, Any]]:
    """In turn, as everything else; with the threads that each takes by default."""
    texts = library(tests=True)
    found: dict[str, list[dict[str, Any]]] = {name: [] for name in TRAINERS}
    for _ in range(3):
        for name, results in found.items():
            results.append(_child("_bpe_training.py", name))
    result = row("train 32k merges", texts, {n: [r["seconds"] for r in results] for n, results in found.items()})
    result["peak_memory_bytes_over_text"] = {n: max(r["bytes"] for r in results) for n, results in found.items()}
    assert len({r["sha256"] for results in found.values() for r in results}) == 1, "not the same vocabulary"
    return [result]


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
        first, later = _child("tokenizers.py", "--first-use", **kept), _child("tokenizers.py", "--first-use", **kept)
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


def _child(file: str, argument: str, **environment: str) -> dict[str, Any]:
    command = [sys.executable, str(Path(__file__).with_name(file)), argument]
    done = subprocess.run(command, capture_output=True, text=True, env=os.environ | environment, check=True)
    return json.loads(done.stdout.splitlines()[-1])


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
    parser.add_argument("--first-use", action="store_true", help=argparse.SUPPRESS)
    arguments = parser.parse_args()
    if arguments.first_use:
        print(json.dumps(first_use()))
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
