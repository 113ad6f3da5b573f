"""Numbers for people: rounded to what is significant, with their unit."""

from __future__ import annotations

import math
from collections.abc import Iterable
from statistics import median

from zoo.ablation.stats import Interval

NONE = "-"  # not measured
SIGNIFICANT_DIGITS_OF_ERROR = 2
FEWEST_DECIMALS, MOST_DECIMALS = 3, 5


def count(number: float | None) -> str:
    """940, 12.3k, 0.42M, 1.31M, 7.62B, 1.40T."""
    if number is None:
        return NONE
    for least, size, letter in (
        (1e12, 1e12, "T"),
        (999.5e6, 1e9, "B"),
        (1e5, 1e6, "M"),
        (1e3, 1e3, "k"),
    ):  # 0.42M, not 420k
        if number >= least:
            return f"{number / size:.{_decimals(number / size)}f}{letter}"
    return f"{number:.0f}"


def _decimals(scaled: float) -> int:
    return 2 if scaled < 10 else 1 if scaled < 100 else 0


def flops(number: float | None) -> str:
    """1.00e12."""
    if number is None:
        return NONE
    mantissa, _, exponent = f"{number:.2e}".partition("e")
    return f"{mantissa}e{int(exponent)}"


def memory(num_bytes: float | None) -> str:
    """12 KiB, 312 MiB, 1.42 GiB."""
    if num_bytes is None:
        return NONE
    mebibytes = num_bytes / 2**20
    if mebibytes >= 1024:
        return f"{mebibytes / 1024:.{_decimals(mebibytes / 1024)}f} GiB"
    if 0 < mebibytes < 0.1:
        return f"{num_bytes / 1024:.{0 if num_bytes >= 10_240 else 1}f} KiB"
    return f"{mebibytes:.{0 if mebibytes >= 10 else 1}f} MiB"


def size(num_bytes: float | None) -> str:
    """940 B, 12.3 kB, 0.42 MB, 7.62 GB: of text, by powers of ten."""
    if num_bytes is None:
        return NONE
    text = count(num_bytes)
    number, letter = (text[:-1], text[-1].replace("B", "G")) if text[-1].isalpha() else (text, "")
    return f"{number} {letter}B"


def percent(fraction: float | None) -> str:
    """31.2%."""
    return NONE if fraction is None else f"{fraction:.1%}"


def rate(flops_per_second: float) -> str:
    """61 GFLOP/s, 1.2 TFLOP/s, 494 TFLOP/s."""
    for size, name in ((1e15, "P"), (1e12, "T"), (1e9, "G")):
        if flops_per_second >= size or name == "G":
            scaled = flops_per_second / size
            return f"{scaled:.{1 if scaled < 10 else 0}f} {name}FLOP/s"
    raise AssertionError("the last size takes what is left")


def decimals_for(intervals: Iterable[Interval | None]) -> int:
    """Decimals that show two digits of the usual error in a column: one number of them for all its cells."""
    widths = [i.high - i.low for i in intervals if i is not None and i.low is not None and i.high is not None]
    half_widths = [width / 2 for width in widths if width > 0]
    if not half_widths:
        return FEWEST_DECIMALS
    wanted = SIGNIFICANT_DIGITS_OF_ERROR - 1 - math.floor(math.log10(median(half_widths)))
    return min(MOST_DECIMALS, max(FEWEST_DECIMALS, wanted))


def mean(interval: Interval | None, decimals: int, *, signed: bool = False) -> str:
    """2.134, or with a sign +0.012."""
    return NONE if interval is None else _fixed(interval.mean, decimals, signed)


def ends(interval: Interval | None, decimals: int, *, signed: bool = False) -> str:
    """[2.120, 2.148]."""
    if interval is None or interval.low is None or interval.high is None:
        return NONE
    return f"[{_fixed(interval.low, decimals, signed)}, {_fixed(interval.high, decimals, signed)}]"


def _fixed(value: float, decimals: int, signed: bool) -> str:
    return f"{value:{'+' if signed else ''}.{decimals}f}"
