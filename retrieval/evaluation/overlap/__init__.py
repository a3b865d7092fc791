"""What two collections, or two parts of one, have in common: articles, images, captions."""
