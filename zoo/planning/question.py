"""What a plan is asked for beside what is to be trained."""

from __future__ import annotations

from dataclasses import dataclass

from zoo.accounting.published_mfu import MfuEstimate


@dataclass(frozen=True, kw_only=True)
class Question:
    """Attributes:
    device: a name of the table of devices; cpu or cuda: the one at hand; None: the one that a run would take here.
    num_devices: that share the batch.
    tokens: to train on; None: what the recipe's budget buys.
    mfu: share of the peak, and who says so; None: of a published run.
    zero_stage: what is sharded over the devices (ZeRO): 0 nothing, 1 the optimizer's state, 2 gradients too, 3 weights
        too.
    price_per_hour: of one device, in any currency; None: no cost.

    Raises:
        ValueError: a value outside its range, in the words of the command line.
    """

    device: str | None = None
    num_devices: int = 1
    tokens: float | None = None
    mfu: MfuEstimate | None = None
    zero_stage: int = 0
    price_per_hour: float | None = None

    def __post_init__(self) -> None:
        if self.num_devices < 1:
            raise ValueError(f"--num-devices {self.num_devices}: expected at least 1")
        if self.tokens is not None and not self.tokens > 0:
            raise ValueError(f"--tokens {self.tokens:g}: expected more than 0")
        if self.zero_stage not in range(4):
            raise ValueError(f"--zero-stage {self.zero_stage}: expected 0 (nothing is sharded), 1, 2 or 3")
        if self.zero_stage and self.num_devices == 1:
            raise ValueError(f"--zero-stage {self.zero_stage}: one device has nobody to share with (--num-devices)")
        if self.price_per_hour is not None and not self.price_per_hour >= 0:
            raise ValueError(f"--price {self.price_per_hour:g}: expected 0 or more per device and hour")


def said_by_user(mfu: float) -> MfuEstimate:
    """The share of the peak that a user expects, of the FLOPs that an ideal kernel must do.

    Raises:
        ValueError: it is no share.
    """
    if not 0 < mfu <= 1:
        raise ValueError(f"--mfu {mfu:g}: expected a share of the peak, above 0 and at most 1")
    return MfuEstimate(mfu, mfu, mfu, "as asked", palm=False)
