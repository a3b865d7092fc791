"""The contact sheet: hits to look at in a browser that has no network, in a notebook and in a terminal.

Captions, ids and metadata come from other people's files and are treated as hostile. `markup` escapes whatever is not
markup already and embeds a picture only when its first bytes are those of a raster format; `terminal` takes control
sequences out.
"""

from retrieval.sheet.document import Question, Table, hits_html, page
from retrieval.sheet.terminal import hits_text

__all__ = ["Question", "Table", "hits_html", "hits_text", "page"]
