"""JATS: the XML of PubMed Central's articles, with the images that lie beside it."""
