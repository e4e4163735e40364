"""The mini-program platforms: exchanging a login code for an identity."""
