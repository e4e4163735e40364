"""YAML, environment and secret files become `Settings`: the one door is `load`."""

from gateway.loader.load import Loaded, load

__all__ = ["Loaded", "load"]
