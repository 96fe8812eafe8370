"""Stretched residues and rigid turns of them."""

import sys
from pathlib import Path

import numpy as np
import pytest

pytest.importorskip("rdkit", reason="rdkit is not installed (extra [data])")
pytest.importorskip("tblite", reason="tblite is not installed (extra [data])")

sys.path.insert(0, str(Path(__file__).parents[3] / "scripts"))

from ase import Atoms
from gfn2 import curated, geometry, strands


def test_strands_are_relaxed_and_turned():
    smiles = curated.RESIDUES[0]
    numbers, pairs, samples = strands.sample(smiles, 2, np.random.default_rng(2))
    each = len(strands.KEPT) + 1 + strands.TURNS + strands.OPPOSITE
    assert len(samples) == 2 * each
    assert all(geometry.keeps_graph(numbers, one.positions, pairs) for one in samples)
    positions = [one.positions for one in samples[2:each]]
    phi, psi = geometry.backbone(geometry.embed(smiles, 1, 1)[0])
    angles = np.array([[Atoms(numbers, p).get_dihedral(*atoms) for atoms in phi + psi] for p in positions])
    change = (angles[1:] - angles[0] + 180.0) % 360.0 - 180.0
    assert np.abs(change).max() < strands.LARGEST + 2.0  # shaken by so much
    assert (np.abs(change).max(axis=1) > 0.5).all()
    opposite = change[strands.TURNS :]
    far = np.abs(opposite[:, 0]) > 10.0
    assert far.any()
    assert (opposite[far, 0] * opposite[far, len(phi)] < 0.0).all()  # phi one way, psi the other
