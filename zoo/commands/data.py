"""`zoo data`: build or check the token store of a recipe."""

from __future__ import annotations

import argparse

from zoo.prepare import open_store
from zoo.recipe import load_recipe


def run(arguments: argparse.Namespace, overrides: list[str]) -> int:
    recipe = load_recipe(arguments.recipe, overrides)
    store = open_store(recipe, rebuild=arguments.rebuild, progress=print)
    print(f"store {store.fingerprint[:12]} in {store.folder}")
    print(f"vocabulary {store.vocab_size:,} tokens, {store.bytes_per_token:.2f} bytes per token")
    for split in ("train", "validation", "test"):
        documents, size, tokens = store.num_documents(split), store.num_bytes(split), store.num_tokens(split)
        print(f"{split:<10} {documents:>9,} documents {size:>13,} bytes {tokens:>13,} tokens")
    return 0
