"""The query module: words, images, figures of the index or a sum of them to ranked hits."""
