import torch

from sakeff.nn.embedding import ElementEmbedding
from tests.helpers import structure


def embed(embedding, numbers):
    system = structure(numbers, torch.zeros(len(numbers), 3))
    return embedding(system.numbers, system.charge, system.spin, system.batch)


def test_one_row_for_each_element():
    embedding = ElementEmbedding([1, 6, 8], 5)
    features = embed(embedding, [8, 1, 6, 8])
    assert torch.equal(features.scalars, embedding.vectors.weight[[2, 0, 1, 2]])
    assert features.vectors.shape == (4, 0, 3)


def test_vectors_have_length_one_on_average():
    """Attention is cubic in the features: longer vectors make deep networks explode."""
    length = ElementEmbedding(list(range(1, 101)), 64).vectors.weight.detach().norm(dim=1)
    assert abs(float(length.mean()) - 1.0) < 0.02
