"""Lightning callbacks: rates and MFU, the run's own record, checkpoints, a budget of seconds."""

from zoo.callbacks.checkpoints import AtomicCheckpointIO, RunCheckpoints
from zoo.callbacks.recorder import RunRecorder
from zoo.callbacks.throughput import ThroughputMonitor
from zoo.callbacks.time_budget import TimeBudget

__all__ = ["AtomicCheckpointIO", "RunCheckpoints", "RunRecorder", "ThroughputMonitor", "TimeBudget"]
