"""What a careful reader must know beside the table, derived from the results themselves."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping, Sequence
from typing import Any

from zoo.report import format as fmt
from zoo.report.rows import Row

DIFFERENT = "†"  # marks a row that was not run like the baseline
PEAK_SOURCES = {"measured_gemm": "a measured GEMM peak", "published": "the peak that the maker states"}
Describe = Callable[[Mapping[str, Any]], str | None]


def notes(rows: Sequence[Row]) -> list[str]:
    """Lines for the foot of a table: the test used, what was measured on what, and whatever makes rows unequal."""
    lines = [
        *_inference(rows),
        *_validation(rows),
        *_flops(rows),
        *_peaks(rows),
        *_where(rows),
        *_differing(rows),
        *_unequal(rows),
        *_cost_notes(rows),
        *_shared(rows),
        *_failures(rows),
    ]
    return list(dict.fromkeys(lines))


def differs(row: Row, rows: Sequence[Row]) -> bool:
    """Whether a row ran with other code, on other hardware or with other threads than the baseline."""
    baseline = _baseline(rows)
    return baseline is not None and any(True for _ in _unlike(row, baseline))


def _inference(rows: Sequence[Row]) -> list[str]:
    sizes = {interval.n for row in rows for interval in (row.bits_per_byte, row.difference) if interval is not None}
    if not sizes:
        return []
    lines = []
    baseline = _baseline(rows)
    if baseline is not None and baseline.bits_per_byte is None:
        lines.append(f"No differences: the baseline {baseline.name} has no figure of its own.")
    if sizes == {1}:
        return [*lines, "One seed per variant: no interval, and no difference here is evidence of anything."]
    degrees = " to ".join(str(n - 1) for n in sorted({min(sizes - {1}), max(sizes)}))
    degrees += " degree" if degrees == "1" else " degrees"
    return [
        *lines,
        f"95 % CI over seeds: Student's t, n - 1 = {degrees} of freedom. Differences from the baseline are "
        "paired by seed (paired t). Each interval stands for itself: none is corrected for comparing several variants.",
    ]


def _validation(rows: Sequence[Row]) -> list[str]:
    def describe(result: Mapping[str, Any]) -> str | None:
        num_bytes, stride = result.get("validation_bytes"), result.get("validation_stride")
        if num_bytes is None:
            return None
        context = result.get("mean_context_bytes")
        parts = [f"{num_bytes:,} validation bytes"]
        parts += [] if stride is None else [f"stride {stride} tokens"]
        parts += [] if context is None else [f"mean context {context:.0f} bytes"]
        return ", ".join(parts)

    lines = _by_value(rows, describe, "Bits per byte over {}.")
    scored = {n for row in rows for n in _said(row, lambda r: _text(r.get("validation_bytes")))}
    if len(scored) > 1:
        lines.append("WARNING: variants were scored on different numbers of bytes; their bits per byte do not compare.")
    return lines


def _flops(rows: Sequence[Row]) -> list[str]:
    shares = [row.optimizer_flops / row.flops for row in rows if row.flops and row.optimizer_flops is not None]
    if not shares:
        return []
    low, high = f"{min(shares):.2%}", f"{max(shares):.2%}"
    share = low if low == high else f"{low} to {high}"
    return [f"FLOPs are training plus optimizer (the optimizer's share: {share}); MFU counts training alone."]


def _peaks(rows: Sequence[Row]) -> list[str]:
    peaks: dict[str, list[float]] = {}
    for row in rows:
        for result in row.results.values():
            value = result.get("peak_flops_per_second")
            if value is not None and result.get("mfu") is not None:
                peaks.setdefault(str(result.get("peak_source")), []).append(value)
    lines = []
    for source, values in peaks.items():
        low, high = fmt.rate(min(values)), fmt.rate(max(values))
        what = PEAK_SOURCES.get(source, f"a peak from {source}")
        lines.append(f"MFU against {what} of {low if low == high else f'{low} to {high}'}.")
    return lines


def _where(rows: Sequence[Row]) -> list[str]:
    parts = [_unanimous(rows, describe) for describe in CONDITIONS]
    memory = {"rss": "peak memory is the process's resident set", "cuda": "peak memory is CUDA's allocated"}
    kind = _unanimous(rows, lambda r: memory.get(str(r.get("peak_memory_kind"))))
    line = ", ".join(part for part in (*parts, kind) if part)
    return ([f"Run on: {line}."] if line else []) + _predicted(rows)


def _predicted(rows: Sequence[Row]) -> list[str]:
    if all(row.predicted_peak_memory_bytes is None for row in rows):
        return []
    what = _unanimous(rows, lambda r: _text(r.get("peak_memory_kind")))
    before = " and what the process held before" if what == "rss" else ""
    return [f"Predicted memory: the tensors of a training step{before}; validation is not in it."]


def _differing(rows: Sequence[Row]) -> list[str]:
    baseline = _baseline(rows)
    if baseline is None:
        return []
    lines = []
    for describe in CONDITIONS:
        if len(said := _said(baseline, describe)) > 1:
            lines.append(f"The baseline's own runs differ: {_listing(said)}.")
    for row in rows:
        for found, expected in _unlike(row, baseline):
            lines.append(f"{DIFFERENT} {row.name}: {_listing(found)} (baseline: {_listing(expected)}).")
    return lines


def _unlike(row: Row, baseline: Row) -> Iterator[tuple[set[str], set[str]]]:
    """What a row says of its conditions where the baseline says something else."""
    for describe in CONDITIONS:
        found, expected = _said(row, describe), _said(baseline, describe)
        if found and expected and found != expected:
            yield found, expected


def _unequal(rows: Sequence[Row]) -> list[str]:
    def charge(result: Mapping[str, Any]) -> str | None:
        lost_bits, num_bytes = result.get("validation_lost_bits"), result.get("validation_bytes")
        return f"{lost_bits / num_bytes:.3f} of its bits per byte" if lost_bits is not None and num_bytes else None

    lossy = []
    for row in rows:
        if any(result.get("lossless") is False for result in row.results.values()):
            charges = _said(row, charge)
            lossy.append(f"{row.name} ({_listing(charges)})" if charges else row.name)
    models = sorted(set().union(*(_said(row, lambda r: _text(r.get("lost_bits_model"))) for row in rows)))
    lines = [f"Lossy tokenizer, charged for what it lost: {', '.join(lossy)}."] if lossy else []
    return lines + [f"The charge: bits to spell what tokens do not tell, by an {model}." for model in models]


def _cost_notes(rows: Sequence[Row]) -> list[str]:
    by_note: dict[str, list[str]] = {}
    for row in rows:
        for note in dict.fromkeys(n for result in row.results.values() for n in result.get("cost_notes") or []):
            by_note.setdefault(str(note), []).append(row.name)
    everywhere = len(rows)
    return [
        f"Cost: {note}" if len(names) == everywhere else f"Cost of {', '.join(names)}: {note}"
        for note, names in by_note.items()
    ]


def _shared(rows: Sequence[Row]) -> list[str]:
    lines = []
    for i, row in enumerate(rows):
        for other in rows[:i]:
            if row.dirs and dict(row.dirs) == dict(other.dirs):
                lines.append(f"{row.name} is the same configuration as {other.name}: they share their runs.")
    return lines


def _failures(rows: Sequence[Row]) -> list[str]:
    return [
        f"{row.name}, seed {seed}: {result['status']}: {result['reason']}"
        for row in rows
        for seed, result in row.results.items()
        if result.get("status") != "ok" and result.get("reason")
    ]


def _by_value(rows: Sequence[Row], describe: Describe, sentence: str) -> list[str]:
    """One sentence where all rows say the same, else one per value with the names of its rows."""
    names: dict[str, list[str]] = {}
    for row in rows:
        for said in sorted(_said(row, describe)):
            names.setdefault(said, []).append(row.name)
    if len(names) == 1:
        return [sentence.format(next(iter(names)))]
    return [f"{', '.join(who)}: {sentence[0].lower()}{sentence[1:].format(said)}" for said, who in names.items()]


def _unanimous(rows: Sequence[Row], describe: Describe) -> str | None:
    """What all rows say; where they do not agree, what the baseline says (the others are marked)."""
    baseline = _baseline(rows)
    values = _said(baseline, describe) if baseline is not None else set()
    values = values or set().union(*(_said(row, describe) for row in rows))
    return next(iter(values)) if len(values) == 1 else None


def _baseline(rows: Sequence[Row]) -> Row | None:
    return next((row for row in rows if row.is_baseline), None)


def _listing(said: set[str]) -> str:
    return " / ".join(sorted(said))


def _said(row: Row, describe: Describe) -> set[str]:
    return {text for result in row.results.values() if (text := describe(result)) is not None}


def _text(value: Any) -> str | None:
    return None if value is None else str(value)


def _version(package: str) -> Describe:
    def describe(result: Mapping[str, Any]) -> str | None:
        version = (result.get("versions") or {}).get(package)
        return None if version is None else f"{package} {version}"

    return describe


def _device(result: Mapping[str, Any]) -> str | None:
    return _text(result.get("device"))


def _threads(result: Mapping[str, Any]) -> str | None:
    number = result.get("num_threads")
    return None if number is None else f"{number} thread{'' if number == 1 else 's'} per run"


def _commit(result: Mapping[str, Any]) -> str | None:
    commit = result.get("commit")
    return None if commit is None else f"commit {commit}{' with local changes' if result.get('dirty') else ''}"


CONDITIONS: tuple[Describe, ...] = (
    _device,
    _threads,
    *(_version(package) for package in ("zoo", "python", "torch", "lightning")),
    _commit,
)
