"""Representations: initial features and edges to features."""

from sakeff.representations.registry import REPRESENTATIONS, make_representation

__all__ = ["REPRESENTATIONS", "make_representation"]
