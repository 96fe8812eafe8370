"""Initial features from what an atom is."""

from typing import List

import torch
from torch import Tensor, nn

from sakeff.types import Features

MAX_ATOMIC_NUMBER = 118


class ElementEmbedding(nn.Module):
    """So3krates eq. 9: one learned vector of scalars for each element.

    Only the trained elements have rows; numbers of other elements are refused before they come here.
    """

    rows: Tensor

    def __init__(self, elements: List[int], width: int) -> None:
        super().__init__()
        rows = torch.zeros(MAX_ATOMIC_NUMBER + 1, dtype=torch.int64)
        rows[torch.tensor(elements)] = torch.arange(len(elements))
        self.register_buffer("rows", rows, persistent=False)
        self.vectors = nn.Embedding(len(elements), width)
        # Vectors of length about one: attention is cubic in the features, so unit components would explode with depth.
        nn.init.normal_(self.vectors.weight, std=width**-0.5)

    def forward(self, numbers: Tensor, charge: Tensor, spin: Tensor, batch: Tensor) -> Features:
        """Atomic numbers (N,) to features with scalars (N, width) and no vectors."""
        scalars = self.vectors(self.rows.index_select(0, numbers))
        return Features(scalars, scalars.new_zeros([scalars.shape[0], 0, 3]))
