"""A map of a collection: images and captions in the plane, as one page that opens offline (extra `retrieval[map]`)."""
