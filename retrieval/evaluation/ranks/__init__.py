"""Exact ranks of the relevant rows of a gallery, without a score matrix of queries times gallery.

One order is used everywhere, and it is total: a relevant row stands at its score minus `TIE`, an irrelevant row at its
score; higher first, irrelevant before relevant where they are equal, then by row. So every tie counts against us, and
an encoder that gives every figure the same vector finds nothing.

A score is the cosine of two float32 rows. A float32 product rounds it, and differently in another shape or on another
processor; what lies within that rounding of a bar is summed in float64. So ranks are the same however they were found.
"""
