import pytest
import torch

from sakeff.geometry import cell_volume, edge_vectors, forces_from_gradient, trim, virial_from_gradient
from sakeff.neighbours import neighbour_list
from sakeff.types import join_systems
from tests.contract.checks import assert_close
from tests.helpers import ethanol, random_numbers, tensor, transformed, triclinic_box


def boxes():
    return join_systems([triclinic_box(), ethanol(), triclinic_box(seed=4, pbc=(True, False, True))])


def edges_of(system, cutoff=4.0):
    return edge_vectors(system, neighbour_list(system, cutoff))


def test_vectors_equal_a_loop():
    system = boxes()
    neighbours = neighbour_list(system, 4.0)
    edges = edge_vectors(system, neighbours)
    for e in range(0, len(edges.centre), 7):
        i, j, shift = int(edges.centre[e]), int(edges.other[e]), neighbours.shift[e].to(torch.float64)
        expected = system.positions[j] + shift @ system.cell[system.batch[i]] - system.positions[i]
        assert torch.allclose(edges.vector[e], expected, atol=1e-14)
    assert (neighbours.shift != 0).any()


def test_reverse_vectors_are_opposite():
    edges = edges_of(boxes())
    assert torch.allclose(edges.vector[edges.reverse], -edges.vector, atol=1e-14)


def test_trim_keeps_the_shorter_edges_and_their_reverse():
    system = boxes()
    long, short = edges_of(system, 5.0), edges_of(system, 4.0)
    trimmed = trim(long, 4.0)
    assert torch.equal(trimmed.centre, short.centre)
    assert torch.equal(trimmed.other, short.other)
    assert torch.equal(trimmed.reverse, short.reverse)
    assert torch.equal(trimmed.vector, short.vector)
    assert len(trimmed.centre) < len(long.centre)


def test_trim_never_separates_the_two_directions_of_a_pair():
    edges = edges_of(ethanol())
    lengths = edges.vector.norm(dim=1)
    longer = edges.vector.clone()
    longer[3] *= 10.0  # as if rounding had made one direction longer
    trimmed = trim(edges._replace(vector=longer), float(lengths.max()) + 1e-6)
    assert len(trimmed.centre) == len(edges.centre) - 2
    assert torch.equal(trimmed.reverse[trimmed.reverse], torch.arange(len(trimmed.centre)))


def test_trim_to_nothing():
    trimmed = trim(edges_of(ethanol()), 0.1)
    assert len(trimmed.centre) == 0
    assert trimmed.vector.shape == (0, 3)


def energy(edges, weights):
    """Any function of edge vectors that knows which atoms they join."""
    lengths = (edges.vector**2).sum(dim=1)
    return (weights[edges.centre] * weights[edges.other] * torch.exp(-lengths / 3)).sum()


def test_forces_are_minus_the_gradient_of_positions():
    system, weights = boxes(), random_numbers(1, 33)
    assert len(system.numbers) == 33
    positions = system.positions.clone().requires_grad_()
    neighbours = neighbour_list(system, 4.0)
    edges = edge_vectors(system._replace(positions=positions), neighbours)
    expected = -torch.autograd.grad(energy(edges, weights), positions)[0]
    leaf = edges._replace(vector=edges.vector.detach().requires_grad_())
    gradient = torch.autograd.grad(energy(leaf, weights), leaf.vector)[0]
    assert_close(forces_from_gradient(gradient, leaf, 33), expected, 1e-13)


def test_virial_is_the_gradient_of_strain():
    system, weights = boxes(), random_numbers(2, 33)
    neighbours = neighbour_list(system, 4.0)
    strain = torch.zeros(3, 3, 3, dtype=torch.float64, requires_grad=True)
    deformation = torch.eye(3, dtype=torch.float64) + 0.5 * (strain + strain.transpose(1, 2))
    deformed = system._replace(
        positions=torch.einsum("na,nab->nb", system.positions, deformation[system.batch]),
        cell=system.cell @ deformation,
    )
    expected = torch.autograd.grad(energy(edge_vectors(deformed, neighbours), weights), strain)[0]
    edges = edge_vectors(system, neighbours)
    leaf = edges._replace(vector=edges.vector.detach().requires_grad_())
    gradient = torch.autograd.grad(energy(leaf, weights), leaf.vector)[0]
    virial = virial_from_gradient(gradient, leaf, system.batch, 3)
    assert_close(virial, expected, 1e-13)
    assert torch.equal(virial, virial.transpose(1, 2))


@pytest.mark.parametrize("hand", [1.0, -1.0])
def test_volume(hand):
    cell = triclinic_box().cell * tensor([1.0, 1.0, hand])
    assert torch.allclose(cell_volume(cell), torch.linalg.det(cell).abs())
    assert cell_volume(torch.zeros(2, 3, 3)).tolist() == [0.0, 0.0]


def test_translation_leaves_vectors_alone():
    system = triclinic_box()
    before = neighbour_list(system, 4.0)
    shifted = system._replace(positions=system.positions + tensor([30.0, -20.0, 5.0]))
    assert torch.allclose(edge_vectors(shifted, before).vector, edge_vectors(system, before).vector, atol=1e-13)


def test_strain_moves_vectors_with_the_cell():
    system, neighbours = triclinic_box(), neighbour_list(triclinic_box(), 4.0)
    matrix = torch.eye(3, dtype=torch.float64) + 0.01 * random_numbers(3, 3, 3)
    deformed = edge_vectors(transformed(system, matrix), neighbours).vector
    assert torch.allclose(deformed, edge_vectors(system, neighbours).vector @ matrix.T, atol=1e-13)
