"""Heads turn the features of a representation into predictions."""

from sakeff.heads.energy import EnergyReadout

__all__ = ["EnergyReadout"]
