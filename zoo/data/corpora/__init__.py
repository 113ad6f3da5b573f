"""Corpora: where documents come from."""

from zoo.data.corpora.base import Corpus
from zoo.data.corpora.hub import HubDataset
from zoo.data.corpora.mixture import Mixture, MixtureSource
from zoo.data.corpora.python_docs import PythonDocs
from zoo.data.corpora.text_files import TextFiles

__all__ = ["Corpus", "HubDataset", "Mixture", "MixtureSource", "PythonDocs", "TextFiles"]
