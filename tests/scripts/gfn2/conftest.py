"""What the tests of the data set's parts share. Nothing here is imported before a test asks for it."""

import numpy as np
import pytest


@pytest.fixture(scope="session")
def entries():
    """All entries of the data set."""
    from gfn2 import molecules

    return molecules.enumerate_molecules()


@pytest.fixture(scope="session")
def roles(entries):
    """{SMILES of an entry: side of the split}."""
    from gfn2 import molecules, splits

    return splits.assign(entries, molecules.SEED)


@pytest.fixture(scope="session")
def water_and_ammonia():
    """A relaxed frame of either."""
    from gfn2 import sampling

    from sakeff.data.frames import Frames

    parts = [sampling.relaxed_part(smiles, np.random.default_rng(1)) for smiles in ("O", "N")]
    numbers, positions = [part[0] for part in parts], [part[1] for part in parts]
    return Frames.build(numbers, positions, positions, [0.0, 0.0], "GFN2-xTB", groups=["O", "N"])
