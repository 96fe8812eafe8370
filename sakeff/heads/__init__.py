"""Heads turn the features of a representation into predictions."""

from sakeff.heads.energy import EnergyReadout
from sakeff.heads.forecast import ForecastHead

__all__ = ["EnergyReadout", "ForecastHead"]
