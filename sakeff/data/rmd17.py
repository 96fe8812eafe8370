"""The (revised) MD17 archives: npz with kcal/mol and angstrom, two sets of labels.

`revised` are the PBE/def2-SVP labels of revised MD17 (Christensen and von Lilienfeld, 2020); `original` are those of
MD17 (Chmiela et al., 2017) for the same geometries, which the tables of the SAKE and So3krates papers use.
"""

from __future__ import annotations

import re
import zipfile
from pathlib import Path
from typing import Dict, NamedTuple, Optional, Union

import numpy as np

from sakeff.data.frames import Frames
from sakeff.errors import DataError
from sakeff.units import EV_PER_KCAL_PER_MOL


class LabelSet(NamedTuple):
    """Where a set of labels lies in the archive, and what computed it."""

    energy: str
    forces: str
    level_of_theory: str


LABELS: Dict[str, LabelSet] = {
    "revised": LabelSet("energies", "forces", "PBE/def2-SVP (revised MD17)"),
    "original": LabelSet("old_energies", "old_forces", "PBE+vdW-TS (original MD17)"),
}
GEOMETRY_KEYS = ("nuclear_charges", "coords")


def read_rmd17(path: Union[str, Path], labels: str = "revised", indices: Optional[np.ndarray] = None) -> Frames:
    """Frames of one molecule in eV and eV/A; `indices` picks frames, e.g. of a published split.

    The group is the molecule's name, read from the file name. Raises `DataError` for a missing file, key or label set.
    """
    if labels not in LABELS:
        raise DataError(f"there are no {labels!r} labels in MD17; choose one of {sorted(LABELS)}.")
    chosen, path = LABELS[labels], Path(path)
    arrays = _read(path, (*GEOMETRY_KEYS, chosen.energy, chosen.forces))
    energy = arrays[chosen.energy].astype(np.float64).reshape(-1) * EV_PER_KCAL_PER_MOL
    forces = arrays[chosen.forces].astype(np.float64) * EV_PER_KCAL_PER_MOL
    positions = arrays["coords"].astype(np.float64)
    if positions.shape != forces.shape or len(energy) != len(positions):
        raise DataError(f"{path} has coords {positions.shape} but forces {forces.shape}; download it again.")
    frames = Frames.build(
        numbers=[arrays["nuclear_charges"]] * len(energy),
        positions=list(positions),
        forces=list(forces),
        energy=energy.tolist(),
        level_of_theory=chosen.level_of_theory,
        groups=molecule_name(path),
    )
    return frames if indices is None else frames.select(indices)


def is_rmd17(path: Union[str, Path]) -> bool:
    """Whether an npz file has the keys of an rMD17 archive."""
    try:
        with Path(path).open("rb") as stream, np.load(stream, allow_pickle=False) as archive:
            return set(GEOMETRY_KEYS) <= set(archive.files)
    except (OSError, ValueError, EOFError, AttributeError, zipfile.BadZipFile):
        return False


def molecule_name(path: Path) -> str:
    """`rmd17_ethanol_train_01.npz` -> `ethanol`."""
    match = re.match(r"(?:r?md17_)?([a-z]+)", path.stem)
    return match.group(1) if match else path.stem


def _read(path: Path, keys: tuple[str, ...]) -> Dict[str, np.ndarray]:
    if not path.is_file():
        raise DataError(f"{path} does not exist; fetch it with `sakeff data` or give the right folder.")
    try:
        with path.open("rb") as stream, np.load(stream, allow_pickle=False) as archive:
            missing = [key for key in keys if key not in archive.files]
            if missing:
                raise DataError(f"{path} lacks {', '.join(missing)}; it is no rMD17 archive with these labels.")
            return {key: archive[key] for key in keys}
    except (OSError, ValueError, EOFError, AttributeError, zipfile.BadZipFile) as error:
        if isinstance(error, DataError):
            raise
        raise DataError(f"{path} is no readable npz file ({error}); download it again.") from error
