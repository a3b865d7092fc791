"""JATS: the XML of PubMed Central's articles, with the images that lie beside it."""

from retrieval.corpora.jats.corpus import JatsCorpus
from retrieval.corpora.jats.recognise import is_jats

__all__ = ["JatsCorpus", "is_jats"]
