"""`zoo`: an argparse front; each command imports what it needs when it runs."""

from __future__ import annotations

import argparse
import importlib
import sys
from collections.abc import Sequence
from pathlib import Path
from typing import NoReturn, TypeAlias

from zoo import __version__

EXIT_USAGE, EXIT_INTERRUPTED = 2, 130
AFTER_A_STOP = {  # what is true of what was done
    "fit": "; up to its last checkpoint nothing is lost: --resume goes on from there",
    "ablate": "; nothing that was done is lost: run the same command again to go on",
    "data build": "; a store is written whole or not at all: run the same command again to build it",
    "tokenizer train": "; no tokenizer was saved: training starts over",
}
BEHIND_DASHES = "a text that begins with - stands behind --: zoo tokenizer encode FILE -- TEXT"
PRESETS = "gpt2 (the default), cl100k, o200k, llama3, qwen2, or none for no cut"
OVERRIDES = (
    "any key of the recipe can be set from here, as --model.d_model=256 or --seed=1; "
    "a component too: --model.ffn=MLP --model.ffn.activation=relu2"
)

_Actions: TypeAlias = "argparse._SubParsersAction[argparse.ArgumentParser]"


def main(argv: Sequence[str] | None = None) -> int:
    """Run one command; returns the exit code (1: a run failed, 2: a mistake in what was asked for)."""
    if "" not in sys.path:
        sys.path.insert(0, "")  # a user's own classes lie in the current folder
    parser = build_parser()
    arguments, rest = parser.parse_known_args(argv)
    try:
        overrides = _overrides(rest, parser, arguments)
        return importlib.import_module(f"zoo.commands.{arguments.command}").run(arguments, overrides)
    except KeyboardInterrupt:
        print(f"\nstopped{_after_a_stop(arguments)}", file=sys.stderr)
        return EXIT_INTERRUPTED
    except BrokenPipeError:  # `zoo list | head`
        sys.stderr.close()
        return 0
    except OSError as error:
        print(f"{error.filename or arguments.command}: {error.strerror or error}", file=sys.stderr)
        return EXIT_USAGE
    except ValueError as error:  # a RecipeError is one: the user's mistake, said in its own words
        from zoo.recipe.errors import RecipeError

        if not isinstance(error, RecipeError):
            raise
        print("\n".join(error.lines), file=sys.stderr)
        return EXIT_USAGE


def _after_a_stop(arguments: argparse.Namespace) -> str:
    if (arguments.command == "fit" and arguments.show) or (arguments.command == "ablate" and arguments.check):
        return ""  # nothing was done
    return AFTER_A_STOP.get(" ".join([arguments.command, *filter(None, [getattr(arguments, "action", None)])]), "")


class _Parser(argparse.ArgumentParser):
    def error(self, message: str) -> NoReturn:
        if self.prog.endswith(" encode") and "ignored explicit argument" in message:  # -hello is -h and more, to it
            message += f"; {BEHIND_DASHES}"
        super().error(message)


def build_parser() -> argparse.ArgumentParser:
    parser: argparse.ArgumentParser = _Parser(
        prog="zoo",
        description="Which component buys the most loss for the same budget?",
        allow_abbrev=False,
    )
    parser.add_argument("--version", action="version", version=f"lm-zoo {__version__}")
    commands = parser.add_subparsers(title="commands", required=True, metavar="COMMAND")

    fit = _command(commands, "fit", "train one recipe", overrides=True)
    fit.add_argument("recipe", type=Path, help="YAML file")
    fit.add_argument("--print", action="store_true", dest="show", help="print the resolved recipe and stop")
    unfinished = fit.add_mutually_exclusive_group()
    unfinished.add_argument("--resume", action="store_true", help="go on from the last checkpoint of an unfinished run")
    unfinished.add_argument("--restart", action="store_true", help="throw away what the run has done and start over")
    _budget_and_folder(fit)

    ablate = _command(commands, "ablate", "train every variant with every seed, print the table", overrides=True)
    ablate.add_argument("ablation", type=Path, help="YAML file with an `ablation:` section")
    ablate.add_argument("--seeds", type=_seeds, metavar="N|A,B,...", help="number of seeds, or the seeds themselves")
    ablate.add_argument("--jobs", type=_positive, metavar="N", help="runs at once (default: one per core)")
    ablate.add_argument("--check", action="store_true", help="check every variant, print what would run, and stop")
    _budget_and_folder(ablate)

    _plan_arguments(commands)

    report = _command(commands, "report", "write the table of an ablation again, from its run folders")
    report.add_argument("folder", type=Path, help="runs/<ablation>")

    _data_commands(commands)
    _tokenizer_commands(commands)

    listing = _command(commands, "list", "what there is: families, variants, their arguments")
    listing.add_argument("family", nargs="?", help="one family, with the arguments of its variants")
    listing.add_argument("--json", action="store_true", help="for programs")
    return parser


def _plan_arguments(commands: _Actions) -> None:
    plan = _command(
        commands, "plan", "parameters, FLOPs, memory, time and cost of a run before it runs", overrides=True
    )
    plan.add_argument("recipe", nargs="?", type=Path, help="YAML file")
    plan.add_argument("--params", type=_amount, metavar="N", help="instead of a recipe: a number of parameters, as 7e9")
    plan.add_argument(
        "--tokens", type=_amount, metavar="N", help="to train on (default: what the recipe's budget buys)"
    )
    plan.add_argument(
        "--device", metavar="NAME", help="h100-sxm, l40s, ... or cpu or cuda: the one here (default: the one here)"
    )
    plan.add_argument("--num-devices", type=_positive, default=1, metavar="N", help="that share the batch (default: 1)")
    plan.add_argument(
        "--zero-stage",
        type=int,
        choices=range(4),
        default=0,
        help="sharded over the devices: 1 optimizer state, 2 gradients too, 3 weights too (default: 0, nothing)",
    )
    speed = plan.add_mutually_exclusive_group()
    speed.add_argument("--mfu", type=float, metavar="SHARE", help="of the peak, as 0.5 (default: a published run's)")
    speed.add_argument("--probe", action="store_true", help="measure it here, over 20 steps of the recipe")
    plan.add_argument("--price", type=float, metavar="AMOUNT", help="of one device for one hour")
    plan.add_argument("--plot", type=Path, metavar="FILE.png", help="draw memory by phase, and FLOPs by context, too")
    plan.add_argument("--force", action="store_true", help="replace the picture that --plot finds there")
    plan.add_argument("--json", action="store_true", help="for programs")
    size = plan.add_argument_group("with --params", "what is kept of each parameter")
    dtypes = ("fp32", "bf16", "fp16", "fp8")
    size.add_argument("--weights", choices=dtypes, help="that multiply (default: bf16)")
    size.add_argument("--gradients", choices=dtypes, help="default: that of the weights")
    size.add_argument("--states", choices=dtypes, help="of the optimizer (default: fp32)")
    size.add_argument("--num-states", type=_whole, metavar="N", help="per parameter (default: 2, as AdamW)")
    size.add_argument(
        "--master",
        choices=(*dtypes, "none"),
        help="weights that the optimizer updates (default: fp32, and none where the weights are fp32 themselves)",
    )


def _data_commands(commands: _Actions) -> None:
    purpose = "the token store of a recipe, and what stands in it"
    data = commands.add_parser("data", help=purpose, description=purpose, allow_abbrev=False)
    actions = data.add_subparsers(title="commands", required=True, metavar="COMMAND")

    build = _command(actions, "build", "build or check the token store of a recipe", overrides=True)
    build.add_argument("--rebuild", action="store_true", help="build it anew, whatever is there")
    build.add_argument(
        "--jobs", type=_positive, metavar="N", help="processes or threads that encode (default: one per core)"
    )

    inspect = _command(actions, "inspect", "print the text around any token", overrides=True)
    inspect.add_argument("--split", choices=("train", "validation", "test"), default="train", help="default: train")
    place = inspect.add_mutually_exclusive_group()
    place.add_argument("--at", type=int, metavar="TOKEN", help="place of a token in the split (default: its first)")
    place.add_argument("--document", type=int, metavar="N", help="number of a document in the split, from 0")
    inspect.add_argument(
        "--context", type=_whole, default=40, metavar="TOKENS", help="to show on either side (default: 40)"
    )

    report = _command(actions, "report", "what each filter of a recipe removes, with examples", overrides=True)
    report.add_argument("--examples", type=_whole, default=3, metavar="N", help="of each filter (default: 3)")

    for action in (build, inspect, report):
        action.add_argument("recipe", type=Path, help="YAML file")
        action.add_argument("--json", action="store_true", help="for programs")
        action.set_defaults(command="data", action=action.prog.split()[-1])


def _tokenizer_commands(commands: _Actions) -> None:
    purpose = "train tokenizers, use them, compare them"
    tokenizer = commands.add_parser("tokenizer", help=purpose, description=purpose, allow_abbrev=False)
    actions = tokenizer.add_subparsers(title="commands", required=True, metavar="COMMAND")

    train = _train_arguments(actions)
    readers = _encode_arguments(actions), _decode_arguments(actions), _compare_arguments(actions)
    for action in readers:
        _rank_file_arguments(action)
    for action in (train, *readers):
        action.add_argument("--json", action="store_true", help="for programs")
        action.set_defaults(command="tokenizer", action=action.prog.split()[-1])


def _train_arguments(actions: _Actions) -> argparse.ArgumentParser:
    train = _command(actions, "train", "learn a vocabulary from a recipe's text or from files", overrides=True)
    train.add_argument(
        "sources", nargs="+", metavar="SOURCE", help="a recipe (YAML), or text files and globs; - is standard input"
    )
    train.add_argument(
        "-o", "--output", type=Path, required=True, metavar="FILE", help="where to save it; for gpt2 a folder"
    )
    train.add_argument("--force", action="store_true", help="replace what is there")
    train.add_argument("--kind", choices=("bpe", "word", "char", "byte"), help="of tokenizer, for files (default: bpe)")
    train.add_argument("--vocab-size", type=_positive, metavar="N", help="ids at most (default: the class's own)")
    train.add_argument(
        "--pattern", help=f"how text is cut, of bpe: {PRESETS}; of word: words (the default); or an expression"
    )
    train.add_argument("--tie-break", choices=("first", "greatest", "huggingface"), help="default: first")
    train.add_argument(
        "--special",
        action="append",
        dest="specials",
        metavar="TOKEN",
        help="a special token to have beside <|endoftext|>, also several times; they get the first ids",
    )
    train.add_argument("--errors", choices=("strict", "replace"), help="of files that are not UTF-8 (default: strict)")
    train.add_argument(
        "--format", choices=("zoo", "huggingface", "tiktoken", "gpt2"), default="zoo", help="of the file (default: zoo)"
    )
    return train


def _encode_arguments(actions: _Actions) -> argparse.ArgumentParser:
    encode = _command(actions, "encode", "the ids of a text")
    encode.add_argument("tokenizer", type=Path, help="its file")
    encode.add_argument("text", nargs="?", help="default, and -: standard input; behind -- it may begin with -")
    encode.add_argument("--file", type=Path, help="to read the text from; - is standard input")
    encode.add_argument(
        "--special",
        choices=("refuse", "allow", "plain"),
        default="refuse",
        help="where the text holds a special token of the tokenizer: refuse the text (default), allow it as that "
        "token, or encode it as plain text",
    )
    return encode


def _decode_arguments(actions: _Actions) -> argparse.ArgumentParser:
    decode = _command(actions, "decode", "the text of ids")
    decode.add_argument("tokenizer", type=Path, help="its file")
    decode.add_argument(
        "ids",
        nargs="*",
        metavar="ID",
        help="as encode prints them, also with commas or as JSON; default, and -: standard input",
    )
    return decode


def _compare_arguments(actions: _Actions) -> argparse.ArgumentParser:
    compare = _command(actions, "compare", "what each tokenizer makes of held-out text, how fast, at which cost")
    compare.add_argument("tokenizers", nargs="*", metavar="TOKENIZER", help="files or recipes (default: one of each)")
    compare.add_argument(
        "--corpus", action="append", metavar="SOURCE", help="recipe or glob, also several (default: PythonDocs)"
    )
    compare.add_argument("--d-model", type=_positive, default=768, metavar="N", help="width of a model (default: 768)")
    compare.add_argument("--plot", type=Path, metavar="FILE.png", help="draw it, too")
    compare.add_argument("--force", action="store_true", help="replace the picture that is there")
    return compare


def _rank_file_arguments(action: argparse.ArgumentParser) -> None:
    ranks = action.add_argument_group("a tiktoken rank file", "does not say how text is cut, nor its special tokens")
    ranks.add_argument("--encoding", metavar="NAME", help="the published one it is, as cl100k_base (default: its name)")
    ranks.add_argument("--pattern", help=f"how it cuts: {PRESETS.replace(' (the default)', '')}, or an expression")
    ranks.add_argument(
        "--special-tokens", metavar="JSON", help="ids of its special tokens, as zoo tokenizer train says"
    )


def _command(
    commands: _Actions,
    name: str,
    purpose: str,
    *,
    overrides: bool = False,
) -> argparse.ArgumentParser:
    parser = commands.add_parser(
        name, help=purpose, description=purpose, epilog=OVERRIDES if overrides else None, allow_abbrev=False
    )
    parser.set_defaults(command=name, takes_overrides=overrides, flags=parser)
    return parser


def _budget_and_folder(parser: argparse.ArgumentParser) -> None:
    parser.add_argument("--budget", type=_budget, metavar="UNIT=AMOUNT", help="flops, tokens, bytes or seconds")
    parser.add_argument(
        "--runs", type=Path, default=Path("runs"), metavar="DIR", help="folder of all runs (default: runs)"
    )


def _overrides(rest: list[str], parser: argparse.ArgumentParser, arguments: argparse.Namespace) -> list[str]:
    """Arguments that argparse does not know, as key=value strings; anything else is a mistake."""
    from zoo.recipe.errors import RecipeError
    from zoo.wording import nearest

    flags = [flag for action in arguments.flags._actions for flag in action.option_strings]
    pairs, queue = [], list(rest)
    while queue:
        word = queue.pop(0)
        key, equals, value = word.removeprefix("--").partition("=")
        is_key = word.startswith("--") and ("." in key or key == "seed")
        if not arguments.takes_overrides or not is_key:
            hint = nearest(word.partition("=")[0], flags) if word.startswith("-") else ""
            raise RecipeError([f"unknown argument {word!r}{hint or ':'} {_way_to_say(word, arguments)}"])
        if not equals:
            if not queue or queue[0].startswith("--"):
                raise RecipeError([f"--{key} needs a value: --{key}=VALUE"])
            value = queue.pop(0)
        pairs.append(f"{key}={value}")
    return pairs


def _way_to_say(word: str, arguments: argparse.Namespace) -> str:
    if arguments.command == "tokenizer" and arguments.action == "encode":
        if arguments.text is None:
            return BEHIND_DASHES
        if not word.startswith("-"):
            return "expected one TEXT, in quotes; see --help"
    return "see --help"


def _budget(text: str) -> dict[str, float]:
    unit, _, amount = text.partition("=")
    try:
        if unit in ("flops", "tokens", "bytes", "seconds") and 0 < float(amount) < float("inf"):
            return {unit: float(amount)}
    except ValueError:
        pass
    raise argparse.ArgumentTypeError(f"expected flops=1e12, tokens=1e6, bytes=1e6 or seconds=60, got {text!r}")


def _seeds(text: str) -> int | list[int]:
    try:
        return [int(part) for part in text.split(",")] if "," in text else int(text)
    except ValueError:
        raise argparse.ArgumentTypeError(f"expected a number, or numbers with commas, got {text!r}") from None


def _amount(text: str) -> float:
    sizes = {"k": 1e3, "M": 1e6, "B": 1e9, "T": 1e12}
    number, size = (text[:-1], sizes[text[-1]]) if text[-1:] in sizes else (text, 1.0)
    try:
        if 0 < float(number) < float("inf"):
            return float(number) * size
    except ValueError:
        pass
    raise argparse.ArgumentTypeError(f"expected an amount above 0, such as 7e9 or 7B, got {text!r}")


def _whole(text: str) -> int:
    if text.isdecimal():
        return int(text)
    raise argparse.ArgumentTypeError(f"expected a number from 0, got {text!r}")


def _positive(text: str) -> int:
    if text.isdigit() and int(text) > 0:
        return int(text)
    raise argparse.ArgumentTypeError(f"expected a number above 0, got {text!r}")


if __name__ == "__main__":
    sys.exit(main())
