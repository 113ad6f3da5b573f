"""Corpora: where documents come from."""

from zoo.data.corpora.base import Corpus
from zoo.data.corpora.python_docs import PythonDocs
from zoo.data.corpora.text_files import TextFiles

__all__ = ["Corpus", "PythonDocs", "TextFiles"]
