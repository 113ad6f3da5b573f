"""`zoo data build|inspect|report`: a recipe's token store, the text around any of its tokens, what filters remove."""

from __future__ import annotations

import argparse
import json
import sys
from dataclasses import asdict
from typing import Any

from zoo.data.inspection import Place, Token, look
from zoo.data.progress import display
from zoo.data.split import SPLITS, Split
from zoo.data.store import TokenStore
from zoo.prepare import open_store
from zoo.recipe import Recipe, RecipeError, load_recipe


def run(arguments: argparse.Namespace, overrides: list[str]) -> int:
    recipe = load_recipe(arguments.recipe, overrides)
    actions = {"build": _build, "inspect": _inspect, "report": _report}
    return actions[arguments.action](recipe, arguments)


def _build(recipe: Recipe, arguments: argparse.Namespace) -> int:
    with display(sys.stderr if arguments.json else None) as progress:
        store = open_store(recipe, rebuild=arguments.rebuild, progress=progress, num_jobs=arguments.jobs)
    if arguments.json:
        print(json.dumps(_summary(store), ensure_ascii=False, indent=1))
        return 0
    print(f"store {store.fingerprint[:12]} in {store.folder}")
    print(f"vocabulary {store.vocab_size:,} tokens, {store.bytes_per_token:.2f} bytes per token")
    for split in SPLITS:
        documents, size, tokens = store.num_documents(split), store.num_bytes(split), store.num_tokens(split)
        print(f"{split:<10} {documents:>9,} documents {size:>13,} bytes {tokens:>13,} tokens{_charge(store, split)}")
    if len(store.sources) > 1:
        for source in store.sources:
            print(f"source {source.name}: {source.stop - source.start:,} train tokens, weight {source.weight:g}")
    for note in store.notes:
        print(f"note: {note}")
    return 0


def _summary(store: TokenStore) -> dict[str, Any]:
    """What `build` says, for programs."""
    splits = {
        split: {
            "documents": store.num_documents(split),
            "bytes": store.num_bytes(split),
            "tokens": store.num_tokens(split),
            "lost_bits": float(store.lost_bits(split).sum()),
        }
        for split in SPLITS
    }
    return {
        "fingerprint": store.fingerprint,
        "folder": str(store.folder),
        "vocab_size": store.vocab_size,
        "bytes_per_token": store.bytes_per_token,
        "splits": splits,
        "sources": [
            {"name": source.name, "weight": source.weight, "train_tokens": source.stop - source.start}
            for source in store.sources
        ],
        "notes": list(store.notes),
    }


def _charge(store: TokenStore, split: Split) -> str:
    if store.lost_bits_model is None or not store.num_bytes(split):
        return ""
    return (
        f", charged {store.lost_bits(split).sum() / store.num_bytes(split):.3f} bits per byte for what they do not tell"
    )


def _inspect(recipe: Recipe, arguments: argparse.Namespace) -> int:
    with display(sys.stderr) as progress:  # it may have to be built first; standard output is for the text alone
        store = open_store(recipe, progress=progress)
    try:
        place = look(store, arguments.split, at=arguments.at, document=arguments.document, context=arguments.context)
    except ValueError as error:
        raise RecipeError([str(error)], recipe.name) from error
    if arguments.json:
        print(json.dumps(asdict(place), ensure_ascii=False, indent=1))
    else:
        _show(store, place)
    return 0


def _show(store: TokenStore, place: Place) -> None:
    split = place.split
    where = "before the first document"
    if place.document is not None:
        size = int(store.document_bytes(split)[place.document])
        where = f"document {place.document} of {store.num_documents(split):,} ({size:,} bytes), source {place.source}"
    print(f"{split} token {place.token} of {store.num_tokens(split):,}: {where}")
    print(f"\n{_printable(place.text)}\n")
    print(f"{'':<2}{'token':>12}{'id':>9}{'bytes of document':>20}  text")
    for token in place.tokens:
        mark = ">" if token.token == place.token else ""
        span = "" if token.span is None else f"{token.span[0]}-{token.span[1]}"
        print(f"{mark:<2}{token.token:>12}{token.id:>9}{span:>20}  {_shown(token)}")
        if token.closes:
            print(f"{'':<2}{f'-- end of document {token.document} ':-<60}")


def _shown(token: Token) -> str:
    """'text', or b'...' of bytes that are no text by themselves."""
    data = bytes.fromhex(token.bytes)
    return repr(token.text) if token.text.encode() == data else repr(data)


def _printable(text: str) -> str:
    """Text for a terminal: what it would not print, but for line ends and tabs, is escaped."""
    return "".join(c if c.isprintable() or c in "\n\t" else c.encode("unicode_escape").decode("ascii") for c in text)


def _report(recipe: Recipe, arguments: argparse.Namespace) -> int:
    from zoo.data.filters.report import run_report

    with display(sys.stderr) as progress:  # what goes to standard output is the report alone
        text = run_report(recipe, examples=arguments.examples, as_json=arguments.json, progress=progress)
    print(text, end="")
    return 0
