"""The platforms, for development and tests. Written from their documents, not from our code."""
