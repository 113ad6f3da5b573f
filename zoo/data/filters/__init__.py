"""Filters: what keeps, changes or drops documents between a corpus and its token store."""

from zoo.data.filters.base import Changed, Dropped, Filter, Verdict
from zoo.data.filters.c4_lines import C4Lines
from zoo.data.filters.exact_dedup import ExactDedup
from zoo.data.filters.filtered import FilteredCorpus
from zoo.data.filters.gopher_quality import GopherQuality
from zoo.data.filters.gopher_repetition import GopherRepetition
from zoo.data.filters.min_hash_dedup import MinHashDedup
from zoo.data.filters.script_share import ScriptShare

__all__ = [
    "C4Lines",
    "Changed",
    "Dropped",
    "ExactDedup",
    "Filter",
    "FilteredCorpus",
    "GopherQuality",
    "GopherRepetition",
    "MinHashDedup",
    "ScriptShare",
    "Verdict",
]
