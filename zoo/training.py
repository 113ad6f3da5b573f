"""Trains one prepared run through Lightning's Trainer and says what came of it."""

from __future__ import annotations

import logging
import math
import statistics
import tempfile
from dataclasses import replace
from pathlib import Path
from typing import Any

import torch
from lightning.pytorch import Trainer
from lightning.pytorch.callbacks import Callback
from lightning.pytorch.loggers import Logger

from zoo.accounting.devices import Peak
from zoo.accounting.gemm_peak import peak_memory_bytes
from zoo.accounting.peak import peak_of
from zoo.accounting.published_mfu import MfuEstimate
from zoo.callbacks.checkpoints import AtomicCheckpointIO, RunCheckpoints
from zoo.callbacks.recorder import RunRecorder
from zoo.callbacks.throughput import WARMUP_STEPS, ThroughputMonitor
from zoo.callbacks.time_budget import TimeBudget
from zoo.component import total_params
from zoo.data.text import TextData
from zoo.module import Horizon, LanguageModule
from zoo.planning.weigh import UnweighableError, weigh
from zoo.prepare import Prepared, quiet_warnings
from zoo.recipe.build import instantiate
from zoo.recipe.schema import Key
from zoo.run import LAST_CHECKPOINT


def train(prepared: Prepared, folder: Path) -> dict[str, Any]:
    """Train to the end of the budget, from the last checkpoint in `folder` where there is one, then score the whole
    validation split. Returns the row of the table."""
    quiet_warnings()
    for name in ("lightning.pytorch", "lightning.fabric"):
        logging.getLogger(name).setLevel(logging.WARNING)
    built = prepared.recipe.built
    device = torch.device(_device(built.trainer.device))
    before = peak_memory_bytes(device) if device.type == "cpu" else 0  # interpreter and libraries
    precision = built.trainer.precision
    peak = peak_of(device, precision.compute_dtype, matmul=precision.matmul)
    module = _module(prepared)
    data = _data(prepared)
    monitor = ThroughputMonitor(peak=peak, log_every=built.trainer.log_every)
    recorder = RunRecorder(folder, monitor, log_every=built.trainer.log_every)
    checkpoints = RunCheckpoints((folder / LAST_CHECKPOINT).parent, every=built.trainer.checkpoint_every)
    callbacks: list[Callback] = [monitor, recorder, checkpoints]
    if built.budget.seconds is not None:
        callbacks.insert(0, TimeBudget(built.budget.seconds))
    trainer = _trainer(prepared, device, callbacks, folder)
    last = folder / LAST_CHECKPOINT
    trainer.fit(module, datamodule=data, ckpt_path=str(last) if last.exists() else None, weights_only=False)
    result = _facts(prepared, module, trainer, monitor, peak)
    try:
        result["predicted_peak_memory_bytes"] = before + _step_memory(prepared, device)
    except UnweighableError as error:  # the run is what counts
        result["predicted_peak_memory_bytes"] = None
        result["cost_notes"] = [*result["cost_notes"], str(error)]
    if recorder.diverged is not None:
        return result | {"status": "diverged", "reason": f"loss not finite at step {recorder.diverged}"}
    if recorder.validated_step != trainer.global_step:  # so that a curve ends where its budget does
        trainer.validate(module, dataloaders=data.val_dataloader(), verbose=False)
        recorder.add_validation(trainer, module)
        checkpoints.after_validation(trainer, float(module.validation.compute()))
    checkpoints.finish(trainer)
    return result | _score(trainer, module, data)


def probe(prepared: Prepared, num_steps: int = 20) -> MfuEstimate:
    """What share of the peak training reaches on this machine: the quartiles over some optimizer steps.

    Args:
        prepared: the run.
        num_steps: measured ones; those that warm up come before.
    """
    quiet_warnings()
    for name in ("lightning.pytorch", "lightning.fabric"):
        logging.getLogger(name).setLevel(logging.WARNING)
    options = prepared.recipe.built.trainer
    device = torch.device(_device(options.device))
    peak = peak_of(device, options.precision.compute_dtype, matmul=options.precision.matmul, again=True)
    monitor = ThroughputMonitor(peak=peak, log_every=1)
    module = _module(replace(prepared, num_steps=num_steps + WARMUP_STEPS))
    changes = {"max_steps": num_steps + WARMUP_STEPS, "limit_val_batches": 0, "enable_checkpointing": False}
    with tempfile.TemporaryDirectory() as folder:
        trainer = _trainer(prepared, device, [monitor], Path(folder), **changes)
        trainer.fit(module, datamodule=_data(prepared))
    quartiles = statistics.quantiles(monitor.step_seconds, n=4, method="inclusive")
    high, middle, low = (prepared.work.training_flops / seconds / peak.flops_per_second for seconds in quartiles)
    busy = "; the peak was measured on a busy machine, the times are right all the same" if middle > 1 else ""
    return MfuEstimate(low, middle, high, f"measured here, {num_steps} steps of this recipe{busy}", palm=False)


def _data(prepared: Prepared) -> TextData:
    built = prepared.recipe.built
    return TextData(
        prepared.store,
        seed=prepared.recipe.seed,
        seq_len=built.data.seq_len,
        batch_size=built.data.batch_size,
        accumulate=built.trainer.accumulate,
        validation_bytes=built.data.validation_bytes,
        validation_stride=built.data.validation_stride,
        packing=built.data.packing,
        document_mask=built.data.document_mask,
    )


def _module(prepared: Prepared) -> LanguageModule:
    built = prepared.recipe.built
    return LanguageModule(
        decoder=lambda: built.decoder(prepared.store.vocab_size),
        init=built.init,
        optimizer=built.optimizer,
        schedule=built.schedule,
        horizon=Horizon(prepared.num_steps, built.budget.seconds),
        work=prepared.work,
        seed=prepared.recipe.seed,
        compile=built.trainer.compile,
        activation_checkpointing=built.trainer.activation_checkpointing,
        opens_document=prepared.store.tokenizer.end_of_text if built.data.document_mask else None,
    )


def _trainer(
    prepared: Prepared, device: torch.device, callbacks: list[Callback], folder: Path, **changes: Any
) -> Trainer:
    options = prepared.recipe.built.trainer
    num_steps = prepared.num_steps
    validate_every = options.validate_every or max(1, (num_steps or 1000) // 10)
    usual: dict[str, Any] = {
        "accelerator": "gpu" if device.type == "cuda" else "cpu",
        "devices": 1,
        "max_steps": -1 if num_steps is None else num_steps,
        "max_epochs": -1,
        "accumulate_grad_batches": options.accumulate,
        "gradient_clip_val": options.gradient_clip,
        "val_check_interval": validate_every * options.accumulate,
        "check_val_every_n_epoch": None,
        "num_sanity_val_steps": 0,
        "log_every_n_steps": options.log_every,
        "callbacks": callbacks,
        "plugins": [options.precision.plugin(), AtomicCheckpointIO()],
        "logger": _loggers(options.logger) or False,
        "default_root_dir": folder,
        "enable_progress_bar": False,
        "enable_model_summary": False,
        "use_distributed_sampler": False,
        "benchmark": False,
    }
    return Trainer(**(usual | changes))


def _loggers(given: dict[str, Any] | list[dict[str, Any]] | None) -> list[Logger]:
    wanted = [given] if isinstance(given, dict) else given or []
    return [instantiate(Key(Logger, None), logger) for logger in wanted]


def _device(wanted: str) -> str:
    if wanted == "auto":
        return "cuda" if torch.cuda.is_available() else "cpu"
    return wanted


def _facts(
    prepared: Prepared, module: LanguageModule, trainer: Trainer, monitor: ThroughputMonitor, peak: Peak
) -> dict[str, Any]:
    work, steps, rates = prepared.work, trainer.global_step, monitor.summary()
    return {
        "params": total_params(module.decoder),
        "active_params": module.decoder.active_params(),
        "num_steps": steps,
        "planned_steps": prepared.num_steps,
        "tokens": steps * work.tokens,
        "text_bytes": steps * work.text_bytes,
        "training_flops": steps * work.training_flops,
        "optimizer_flops": None if work.optimizer_flops is None else steps * work.optimizer_flops,
        "flops": steps * work.flops,
        "forward_flops_per_token": prepared.forward_flops_per_token,
        "tokens_per_second": finite(rates.get("tokens_per_second")),
        "mfu": finite(rates.get("mfu")),
        "mfu_palm": finite(rates.get("mfu_palm")),
        "hfu": finite(rates.get("hfu")),
        "goodput": finite(rates.get("goodput")),
        "peak_flops_per_second": peak.flops_per_second,
        "peak_source": peak.source,
        "peak_memory_bytes": rates.get("peak_memory_bytes"),
        "peak_memory_kind": "cuda" if module.device.type == "cuda" else "rss",
        "training_seconds": rates.get("training_seconds"),
        "device": peak.device_name,
        "lossless": prepared.store.tokenizer.lossless,
        "lost_bits_model": prepared.store.lost_bits_model,
        "cost_notes": prepared.cost_notes,
    }


def _step_memory(prepared: Prepared, device: torch.device) -> int:
    """Peak of a step on fake tensors.

    Raises:
        UnweighableError: the recipe does not run on them.
    """
    built = prepared.recipe.built
    return weigh(
        built,
        prepared.store.vocab_size,
        sequences=built.data.batch_size // built.trainer.accumulate,
        accumulate=built.trainer.accumulate,
        checkpointing=built.trainer.activation_checkpointing,
        cuda=device.type == "cuda",
    ).peak_bytes


def _score(trainer: Trainer, module: LanguageModule, data: TextData) -> dict[str, Any]:
    """Bits per byte of the whole validation split, with the weights at the end of the budget."""
    windows = data.evaluation_windows()
    trainer.validate(module, dataloaders=windows, verbose=False)
    bits_per_byte = float(module.validation.compute())
    if not math.isfinite(bits_per_byte):
        return {"status": "diverged", "reason": "validation loss not finite at the end"}
    return {
        "status": "ok",
        "reason": None,
        "validation_bits_per_byte": bits_per_byte,
        "validation_nats": float(module.validation.nats),
        "validation_bytes": windows.num_bytes,
        "validation_lost_bits": float(module.validation.lost_bits),
        "validation_targets": windows.num_targets,
        "validation_stride": windows.stride,
        "mean_context_bytes": data.mean_context_bytes(windows),
    }


def finite(value: float | None) -> float | None:
    """JSON has no NaN: what was not measured is null."""
    return value if value is not None and math.isfinite(value) else None
