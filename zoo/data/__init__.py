"""Data: corpora -> split by document -> token store -> batches and scoring windows.

Nothing here imports Lightning, so that a planner can open a store; `zoo.data.text.TextData` and
`zoo.data.bits_per_byte.BitsPerByte`, which do, are imported by their full path.
"""

from zoo.data.batches import TrainBatches
from zoo.data.corpora import Corpus, HubDataset, Mixture, MixtureSource, PythonDocs, TextFiles
from zoo.data.scoring import ScoringWindows
from zoo.data.split import DEFAULT_SHARES, SPLITS, split_of
from zoo.data.store import TokenStore

__all__ = [
    "DEFAULT_SHARES",
    "SPLITS",
    "Corpus",
    "HubDataset",
    "Mixture",
    "MixtureSource",
    "PythonDocs",
    "ScoringWindows",
    "TextFiles",
    "TokenStore",
    "TrainBatches",
    "split_of",
]
