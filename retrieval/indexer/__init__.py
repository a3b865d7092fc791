"""The offline half: a corpus to shards, and the changes that add to them or remove from them."""
