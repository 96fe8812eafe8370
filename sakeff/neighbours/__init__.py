"""Neighbour lists: one contract (``sakeff.types.Neighbours``), several searches, and the Verlet list.

``VesinSearch`` lives in ``sakeff.neighbours.vesin_list``, so that this package needs torch alone.
"""

from sakeff.neighbours.all_pairs import all_pairs, pairs_within
from sakeff.neighbours.cell_list import cell_list
from sakeff.neighbours.order import mirror, restrict
from sakeff.neighbours.search import TorchSearch, neighbour_list
from sakeff.neighbours.verlet import VerletList

__all__ = [
    "TorchSearch",
    "VerletList",
    "all_pairs",
    "cell_list",
    "mirror",
    "neighbour_list",
    "pairs_within",
    "restrict",
]
