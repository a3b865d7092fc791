"""Questions to an index: words, images, its own figures or a sum of them; answers are figures or captions."""

from retrieval.ranked import MODES, Mode
from retrieval.search.choosing import Choice
from retrieval.search.query import KIND_OF, Answer, Query, Target
from retrieval.search.searcher import Searcher

__all__ = ["KIND_OF", "MODES", "Answer", "Choice", "Mode", "Query", "Searcher", "Target"]
