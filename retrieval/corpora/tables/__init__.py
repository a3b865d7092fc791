"""Tables that name an image and its captions in each row: CSV, TSV, JSON lines, Parquet."""
