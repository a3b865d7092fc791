"""Zero-shot classification: which of some labels describes an image best."""
