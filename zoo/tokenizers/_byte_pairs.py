"""What the tokenizers of byte-pair encoding share, however their vocabulary is come by: a model that encodes."""

from __future__ import annotations

from abc import abstractmethod
from collections.abc import Sequence
from typing import TYPE_CHECKING, Any

from numpy.typing import NDArray

from zoo.tokenizers.base import Ids, Tokenizer, checked_batch

# numba costs half a second, which a planner saves. Only here: jsonargparse runs such a block of the file of every class
# that a recipe names, so a variant has none and says `byte_pairs.BPEModel`.
if TYPE_CHECKING:
    from zoo.tokenizers._bpe_model import BPEModel


class BytePairTokenizer(Tokenizer):
    """A subclass says how its model is built, and sets `_model` to None where its vocabulary is another."""

    _model: BPEModel | None = None

    @property
    def model(self) -> BPEModel:
        """The vocabulary, ready to encode and decode.

        Raises:
            ValueError: there is none yet.
        """
        if self._model is None:
            self._model = self._build()
        return self._model

    @abstractmethod
    def _build(self) -> BPEModel:
        """The model of the present vocabulary.

        Raises:
            ValueError: there is none yet.
        """

    def encode_array(self, text: str) -> Ids:
        return self.model.encode(text)

    def encode_arrays(self, texts: Sequence[str], *, num_threads: int = 1) -> list[Ids]:
        """`encode_array` of each text, on `num_threads` threads."""
        return self.model.encode_arrays(checked_batch(texts, num_threads), num_threads)

    def decode_bytes(self, ids: Sequence[int] | NDArray[Any]) -> bytes:
        return self.model.decode(ids)
