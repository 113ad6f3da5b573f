"""Inference over seeds: Student's t intervals, paired by seed where two arms are compared.

Few seeds (3 to 10) leave the t distribution as the honest choice: a percentile bootstrap of three values covers far
less than it states.
"""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from statistics import fmean, stdev


@dataclass(frozen=True)
class Interval:
    """A mean and the confidence interval around it.

    Attributes:
        mean: of the values.
        low, high: ends of the interval; None where one value gives none.
        n: number of values; the interval has n - 1 degrees of freedom.
    """

    mean: float
    low: float | None
    high: float | None
    n: int


def mean_ci(values: Sequence[float], level: float = 0.95) -> Interval | None:
    """mean ± t(n - 1) s / sqrt(n); None without values.

    Raises:
        ValueError: `level` is not between 0 and 1, or a value is not finite.
    """
    if not 0 < level < 1:
        raise ValueError(f"level={level}: expected a confidence level between 0 and 1, such as 0.95")
    if not all(math.isfinite(value) for value in values):
        raise ValueError(f"expected finite values, got {list(values)}")
    n = len(values)
    if n == 0:
        return None
    mean = fmean(values)
    if n == 1:
        return Interval(mean, None, None, 1)
    half_width = _t_quantile(0.5 + level / 2, n - 1) * stdev(values) / math.sqrt(n)
    return Interval(mean, mean - half_width, mean + half_width, n)


def paired_difference(arm: Mapping[int, float], baseline: Mapping[int, float], level: float = 0.95) -> Interval | None:
    """Mean of arm - baseline over the seeds that both have, with the interval of the paired t test.

    Pairing takes out what a seed does to both arms alike (order of the text, equal first values).

    Args:
        arm, baseline: seed -> value.

    Raises:
        ValueError: as `mean_ci`.
    """
    shared = sorted(arm.keys() & baseline.keys())
    return mean_ci([arm[seed] - baseline[seed] for seed in shared], level)


def _t_quantile(probability: float, degrees_of_freedom: int) -> float:
    from scipy.special import stdtrit  # scipy.stats takes a second to import; this is what its t.ppf calls

    return float(stdtrit(degrees_of_freedom, probability))
