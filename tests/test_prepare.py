"""What `prepare` knows of a run's data before it trains, and that such runs train to their end."""

from __future__ import annotations

import re
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch

from zoo.attention.base import Mask
from zoo.data import TrainBatches
from zoo.heads.base import IGNORE_INDEX
from zoo.prepare import ROWS_FOR_DOCUMENTS, Prepared, prepare
from zoo.recipe import RecipeError, load_recipe
from zoo.training import train

BASE = Path(__file__).parents[1] / "recipes" / "base.yaml"


def prepared(tiny: dict[str, Any], **changes: Any) -> Prepared:
    return prepare(load_recipe(BASE, tiny | {key.replace("__", "."): value for key, value in changes.items()}))


@pytest.fixture
def mixture(corpus: Path, tmp_path: Path) -> dict[str, Any]:
    lines = corpus.read_text(encoding="utf-8").splitlines(keepends=True)
    parts = {"large": ("".join(lines[:1200]), 1), "small": ("".join(lines[1200:]), 3)}
    sources = []
    for name, (text, weight) in parts.items():
        (tmp_path / f"{name}.jsonl").write_text(text, encoding="utf-8")
        files = {"class_path": "TextFiles", "init_args": {"paths": [str(tmp_path / f"{name}.jsonl")]}}
        sources.append({"name": name, "weight": weight, "corpus": files})
    return {"class_path": "Mixture", "init_args": {"sources": sources}}


def test_windows_without_a_mask_need_no_note(tiny: dict[str, Any]) -> None:
    run = prepared(tiny)
    assert run.cost_notes == [] and run.work.tokens == 16 * 32
    assert run.work.text_bytes == run.work.tokens * run.store.bytes_per_token


def test_packed_steps_count_targets_as_tokens_and_padding_in_flops(tiny: dict[str, Any]) -> None:
    plain = prepared(tiny, data__seq_len=1500, budget={"tokens": 4e6})
    run = prepared(tiny, data__seq_len=1500, data__packing="best_fit", budget={"tokens": 4e6})
    batches = TrainBatches(run.store, seed=0, seq_len=1500, batch_size=16, packing="best_fit")
    rows = batches.sources["TextFiles"].rows_per_epoch
    mean = np.mean([batches.num_targets(i) for i in range(rows)])  # batch_size whole epochs
    assert run.work.tokens == round(mean) < plain.work.tokens == 24_000
    assert run.work.training_flops == plain.work.training_flops
    assert run.num_steps == 4_000_000 // run.work.tokens > plain.num_steps  # type: ignore[operator]
    (note,) = run.cost_notes
    assert note == (
        f"packing best_fit: {mean / 24_000:.2%} of the positions are targets; FLOPs count the padding too, tokens and "
        "bytes do not, and their counts are means over an epoch"
    )


@pytest.mark.parametrize("packing", ["concat", "best_fit"])
@pytest.mark.parametrize("attention", ["FullAttention", "SlidingWindowAttention"])
def test_masked_flops_count_the_pairs_that_the_mask_keeps(tiny: dict[str, Any], packing: Any, attention: str) -> None:
    """Against the masks themselves, of every row of an epoch; padding reads nothing."""
    window = {"window": 40} if attention == "SlidingWindowAttention" else {}
    masked = {"data__packing": packing, "data__document_mask": True, "data__seq_len": 300, "budget": {"tokens": 1e6}}
    run = prepared(tiny, model__attention={"class_path": attention, "init_args": {"num_heads": 2, **window}}, **masked)
    batches = TrainBatches(run.store, seed=0, seq_len=300, batch_size=16, packing=packing, document_mask=True)
    num_rows = batches.sources["TextFiles"].rows_per_epoch
    assert num_rows <= ROWS_FOR_DOCUMENTS
    pairs = 0
    for first in range(0, num_rows, 16):
        rows = batches._read(first, min(16, num_rows - first))
        assert rows.documents_BT is not None
        documents, real = torch.from_numpy(rows.documents_BT), torch.from_numpy(rows.targets_BT != IGNORE_INDEX)
        at = torch.arange(300).expand(documents.shape)
        mask = Mask(at, at, window=window.get("window"), query_documents_BT=documents, key_documents_BS=documents)
        pairs += int((mask.keep()[:, 0] & real[:, :, None]).sum())
    per_row = 3 * (run.model.cost(300).matmul + 2 * 2 * 16 * pairs / num_rows)
    assert run.work.training_flops == round(16 * per_row) < run.work.palm_training_flops
    assert run.forward_flops_per_token == pytest.approx(per_row / 3 / 300)
    assert any(note.startswith("document_mask: FLOPs count pairs within documents") for note in run.cost_notes)


def test_a_mixture_says_how_often_it_reads_each_source(tiny: dict[str, Any], mixture: dict[str, Any]) -> None:
    run = prepared(tiny, data__corpus=mixture, budget={"tokens": 16 * 32 * 1000})
    (note,) = run.cost_notes
    match = re.fullmatch(r"mixture: the run reads large (\d+\.\d\d) times, small (\d+\.\d\d) times", note)
    assert match
    sizes = {source.name: source.stop - source.start for source in run.store.sources}
    for times, name, share in zip(match.groups(), ("large", "small"), (0.25, 0.75), strict=True):
        assert float(times) == pytest.approx(share * 16 * 32 * 1000 / sizes[name], abs=0.006)


def test_a_row_longer_than_the_text_is_a_line(tiny: dict[str, Any], mixture: dict[str, Any]) -> None:
    with pytest.raises(
        RecipeError, match=r"^base: data: the train split has [\d,]+ targets, too few for one window of "
    ):
        prepared(tiny, data__seq_len=10**7)
    with pytest.raises(
        RecipeError, match=r"^base: data: the source 'small' has [\d,]+ targets, too few for one window"
    ):
        prepared(tiny, data__corpus=mixture, data__seq_len=300_000)


@pytest.mark.parametrize("packing", ["concat", "best_fit"])
def test_a_masked_mixture_trains_and_is_scored(
    tiny: dict[str, Any], mixture: dict[str, Any], tmp_path: Path, packing: str
) -> None:
    options = {"data__packing": packing, "data__document_mask": True, "trainer__accumulate": 2}
    run = prepared(tiny, data__corpus=mixture, budget={"tokens": 16 * 32 * 30}, **options)
    result = train(run, tmp_path)
    assert result["status"] == "ok" and result["num_steps"] == run.num_steps
    assert result["validation_bits_per_byte"] < 6.5  # 8 bits a byte before training, ln 257 / ln 2
    assert result["mean_context_bytes"] < 32
