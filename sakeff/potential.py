"""The potential: a structure and its neighbours become edges, edges become features, features become energies,
and the derivative with respect to the edge vectors becomes forces and stress.
"""

from typing import List

import torch
from torch import Tensor, nn

from sakeff.errors import GradientsDisabledError
from sakeff.geometry import cell_volume, edge_vectors, forces_from_gradient, virial_from_gradient
from sakeff.nn.embedding import MAX_ATOMIC_NUMBER
from sakeff.nn.exact import ExactBuffers
from sakeff.ops import segment_sum
from sakeff.types import Edges, Neighbours, Prediction, System


class ElementReference(ExactBuffers):
    """Energy of each element (eV) and the scale of what the network adds: ``E_i = reference[Z_i] + scale x_i``.

    In float64: a float32 total of -4,200 eV would have a grain of 0.5 meV.
    """

    energies: Tensor
    scale: Tensor

    def __init__(self) -> None:
        super().__init__()
        self.register_buffer("energies", torch.zeros(MAX_ATOMIC_NUMBER + 1, dtype=torch.float64))
        self.register_buffer("scale", torch.ones((), dtype=torch.float64))

    def forward(self, numbers: Tensor, outputs: Tensor) -> Tensor:
        """Readouts (N,) to atomic energies (N,) float64, eV."""
        return self.energies.index_select(0, numbers) + self.scale * outputs.to(torch.float64)


class Potential(nn.Module):
    """Embedding + representation + readout + reference energies.

    In training mode the prediction keeps its graph, so that losses on forces can be differentiated; in evaluation
    mode everything is detached.
    """

    elements: Tensor
    precision: Tensor

    def __init__(
        self, elements: List[int], embedding: nn.Module, representation: nn.Module, readout: nn.Module
    ) -> None:
        super().__init__()
        self.register_buffer("elements", torch.tensor(sorted(elements)), persistent=False)
        self.register_buffer("precision", torch.zeros(()), persistent=False)  # its dtype is that of the network
        self.embedding = embedding
        self.representation = representation
        self.readout = readout
        self.reference = ElementReference()

    def requests(self) -> List[float]:
        """Cutoffs (A) of the lists this potential needs, in order; inf means all pairs of an open structure."""
        requests: List[float] = self.representation.requests()  # type: ignore[operator]
        return requests

    def forward(self, system: System, neighbours: List[Neighbours]) -> Prediction:
        """Energies (eV), forces (eV/A) and stress (eV/A^3) of a batch.

        ``neighbours`` holds one list for each request. A longer list changes nothing.
        The stress of an open structure is NaN.
        """
        edges = [edge_vectors(system, one) for one in neighbours]
        return self.predict(system, edges)

    def predict(self, system: System, edges: List[Edges]) -> Prediction:
        """The same from edges; ``edges[i].vector`` alone decides, positions are not read."""
        edges = self.as_leaves(edges)
        atomic_energy = self.atomic_energies(system, edges)
        gradients = self.gradients(atomic_energy, edges)
        n_atoms, n_structures = system.numbers.shape[0], system.cell.shape[0]
        forces = forces_from_gradient(gradients[0], edges[0], n_atoms)
        virial = virial_from_gradient(gradients[0], edges[0], system.batch, n_structures)
        for i in range(1, len(edges)):
            forces = forces + forces_from_gradient(gradients[i], edges[i], n_atoms)
            virial = virial + virial_from_gradient(gradients[i], edges[i], system.batch, n_structures)
        if not self.training:
            atomic_energy, virial = atomic_energy.detach(), virial.detach()
        energy = segment_sum(atomic_energy, system.batch, n_structures)
        return Prediction(energy, atomic_energy, forces, stress_from_virial(virial, system))

    def atomic_energies(self, system: System, edges: List[Edges]) -> Tensor:
        """Edges to atomic energies (N,), float64, eV: the pure core."""
        features = self.embedding(system.numbers, system.charge, system.spin, system.batch)
        outputs = self.readout(self.representation(features, edges))
        energies: Tensor = self.reference(system.numbers, outputs)
        return energies

    def as_leaves(self, edges: List[Edges]) -> List[Edges]:
        """Edge vectors in the precision of the weights, as leaves of differentiation."""
        dtype = self.precision.dtype
        leaves: List[Edges] = []
        for one in edges:
            vector = one.vector.detach().to(dtype).requires_grad_()
            leaves.append(Edges(one.centre, one.other, one.reverse, vector))
        return leaves

    def gradients(self, atomic_energy: Tensor, edges: List[Edges]) -> List[Tensor]:
        """dE/dvector of each list; zero where a list does not contribute."""
        if not torch.is_grad_enabled():
            raise GradientsDisabledError(
                "Forces are gradients, and those are switched off; call the potential outside of torch.no_grad()."
            )
        vectors = [one.vector for one in edges]
        raw = torch.autograd.grad([atomic_energy.sum()], vectors, create_graph=self.training, allow_unused=True)
        gradients: List[Tensor] = []
        for i, vector in enumerate(vectors):
            gradient = raw[i]
            gradients.append(torch.zeros_like(vector) if gradient is None else gradient)
        return gradients


def stress_from_virial(virial: Tensor, system: System) -> Tensor:
    """``+dE/dstrain / V``, (S, 3, 3); NaN where it is undefined: for open structures and cells without volume."""
    volume = cell_volume(system.cell)
    defined = (volume > 0) & system.pbc.any(dim=1)
    volume = torch.where(defined, volume, torch.full_like(volume, float("nan")))
    return virial / volume.reshape(-1, 1, 1)
