"""The truth on disk: shards that appear whole or not at all, and the changes made to them since."""
