"""A plan as one screen of text, and as JSON."""

from __future__ import annotations

import dataclasses
import json
from typing import Any

from zoo.accounting.gemm_peak import UNSTABLE_SPREAD
from zoo.accounting.live import CATEGORIES
from zoo.planning import Plan
from zoo.report import format as fmt
from zoo.report.grid import Grid

LABEL_CHARS = 16
DAY, YEAR = 86_400, 365 * 86_400
_UNITS = ((YEAR, YEAR, "years"), (2 * DAY, DAY, "days"), (3600, 3600, "h"), (60, 60, "min"), (0, 1, "s"))


def to_text(plan: Plan) -> list[str]:
    """What stands above the table of memory, and below it."""
    return [*_size(plan), *_work(plan), *_time(plan), *_verdict(plan)]


def memory_grid(plan: Plan) -> Grid:
    """Bytes by category and phase; the highest phase is marked."""
    categories = [
        c for c in dict.fromkeys([*CATEGORIES, *(c for p in plan.phases.values() for c in p)]) if _any(plan, c)
    ]
    headings = ["memory", *(f"{phase} *" if phase == plan.peak_phase else phase for phase in plan.phases)]
    cells = [
        [c, *(fmt.memory(held.get(c)) if held.get(c) else "-" for held in plan.phases.values())] for c in categories
    ]
    cells.append(["in all", *(fmt.memory(sum(held.values())) for held in plan.phases.values())])
    return Grid(headings, cells, ["memory"], ["" for _ in categories] + ["bold"])


def to_json(plan: Plan) -> str:
    """All of the plan, in bytes, FLOPs and seconds."""
    body: dict[str, Any] = dataclasses.asdict(plan)
    body |= {"peak_phase": plan.peak_phase, "peak_bytes": plan.peak_bytes}
    body["fit"]["missing_bytes"] = plan.fit.missing_bytes
    return json.dumps(body, indent=1, allow_nan=False) + "\n"


def duration_text(seconds: float, like: float | None = None) -> str:
    """12 s, 3.4 min, 5.1 h, 19.7 days, 2.3 years; in the unit of another duration."""
    for size, per, unit in _UNITS:
        if (seconds if like is None else like) >= size:
            number = seconds / per
            return f"{number:{',.0f' if number >= 1000 else '.3g'}} {unit}"
    raise AssertionError("the last unit takes what is left")


def _any(plan: Plan, category: str) -> bool:
    return any(held.get(category) for held in plan.phases.values())


def _line(label: str, text: str) -> str:
    return f"{label:<{LABEL_CHARS}}{text}"


def _size(plan: Plan) -> list[str]:
    params = plan.params
    text = f"{fmt.count(params['total'])}"
    if "active" in params:
        text += f", {fmt.count(params['active'])} active per token, {fmt.count(params['embedding'])} of them embedding"
    return [plan.name, _line("parameters", text)]


def _work(plan: Plan) -> list[str]:
    lines, flops = [], plan.flops
    if plan.tokens is not None:
        steps = "" if plan.num_steps is None else f" in {plan.num_steps:,} step{'s' if plan.num_steps > 1 else ''}"
        ratio = plan.tokens / plan.compute_optimal_tokens
        times = f"{ratio:,.0f}" if ratio >= 10 else f"{ratio:.2g}"
        lines.append(
            _line(
                "tokens",
                f"{fmt.count(plan.tokens)}{steps}; Chinchilla's rule for this size: "
                f"{fmt.count(plan.compute_optimal_tokens)} (this run: {times} times that)",
            )
        )
        lines.append(_line("FLOPs", f"{fmt.flops(flops['total'])} in all"))
    per_token = [f"{fmt.flops(flops['exact'])} training"]
    if "palm" in flops:
        per_token.append(f"{fmt.flops(flops['palm'])} by PaLM's count")
    if "hardware" in flops:
        per_token += [
            f"{fmt.flops(flops['hardware'])} on the hardware",
            f"{fmt.flops(flops['optimizer'])} optimizer",
        ]
    lines.append(_line("  per token", ", ".join(per_token)))
    if plan.shares:
        lines.append(_line("  forward", ", ".join(f"{family} {share:.1%}" for family, share in plan.shares.items())))
    return lines


def _time(plan: Plan) -> list[str]:
    target, took = plan.target, plan.duration
    number = plan.question.num_devices
    source = "its maker's peak" if target.peak_source == "published" else "the peak measured here"
    if target.spread is not None and target.spread > UNSTABLE_SPREAD:
        source += f" on a busy machine (blocks differ by {target.spread:.0%})"
    peak = f"{fmt.rate(target.flops_per_second)}, {source}"
    lines = [_line("device", f"{f'{number} x ' if number > 1 else ''}{target.name}, {peak}")]
    if took is None:
        return [*lines, _line("time", "unknown: nothing says how many tokens (--tokens)")]
    quick, middle, slow = took.seconds
    span = "" if quick == slow else f", {duration_text(quick, like=middle)} to {duration_text(slow, like=middle)}"
    convention = "PaLM's count" if took.mfu.palm else "the exact count"
    lines.append(_line("time", f"{duration_text(middle)}{span}, validation and checkpoints apart"))
    lines.append(_line("  at MFU", f"{took.mfu.middle:.1%} of {convention}: {took.mfu.source}"))
    if took.bandwidth_limit is not None:
        lines.append(
            _line(
                "", f"lowered: the device's memory feeds its largest product at {took.bandwidth_limit:.1%} of the peak"
            )
        )
    cost = "" if took.cost is None else f", cost {took.cost:,.2f}"
    lines.append(_line("device hours", f"{took.device_hours:{',.0f' if took.device_hours >= 100 else '.3g'}}{cost}"))
    return lines


def _verdict(plan: Plan) -> list[str]:
    fit, target = plan.fit, plan.target
    lines = [_line("checkpoint", f"{fmt.size(plan.checkpoint_bytes)}: weights and optimizer state")]
    if plan.cache_bytes is not None:
        lines.append(
            _line("generation", f"{fmt.memory(plan.cache_bytes)} of cache per sequence of the training length")
        )
    if plan.saved:
        whole = sum(plan.saved.values())
        shares = sorted(plan.saved.items(), key=lambda item: -item[1])
        lines.append(_line("activations", ", ".join(f"{part} {held / whole:.1%}" for part, held in shares)))
    peak = f"peak {_both(plan.peak_bytes)} ({plan.peak_phase}), with 5 % of margin {_both(fit.needed_bytes)}"
    if fit.available_bytes is None:
        return [*lines, _line("fits?", f"unknown: {peak}; of the memory of {target.name} {target.memory_kind}")]
    lines.append(_line("fits?", f"{fit.verdict}: {peak}"))
    lines.append(_line("", f"of {_both(fit.available_bytes)}, {target.memory_kind}"))
    if fit.missing_bytes:
        lines.append(_line("  missing", _both(fit.missing_bytes)))
        largest = sorted(plan.phases[plan.peak_phase].items(), key=lambda item: -item[1])
        lines.append(_line("  takes", ", ".join(f"{category} {fmt.memory(held)}" for category, held in largest)))
        for remedy in fit.remedies:
            lines.append(_line("  would fit", f"{remedy.change}: {fmt.memory(remedy.peak_bytes)} ({remedy.price})"))
        if not fit.remedies and plan.saved:
            lines.append(_line("  would fit", "no change of layout on this device: a smaller model, or more devices"))
    return lines


def _both(num_bytes: float) -> str:
    """In powers of ten, as devices are sold, and of two, as torch reports."""
    return f"{fmt.size(num_bytes)} ({fmt.memory(num_bytes)})"
