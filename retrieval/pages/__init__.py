"""Pages to look at: the report of a study, the map of a collection."""
