"""`zoo tokenizer train|encode|decode|compare`."""

from __future__ import annotations

import argparse
import importlib

MODULES = {"train": "train", "encode": "code", "decode": "code", "compare": "compare"}


def run(arguments: argparse.Namespace, overrides: list[str]) -> int:
    module = importlib.import_module(f"zoo.commands.tokenizer.{MODULES[arguments.action]}")
    return getattr(module, arguments.action)(arguments, overrides)
