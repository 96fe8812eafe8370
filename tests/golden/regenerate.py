"""Write reference.json anew: ``python -m tests.golden.regenerate``. Do it only when numbers are meant to change."""

import json
from pathlib import Path

from tests.helpers import ethanol, evaluate, make_potential, triclinic_box

REFERENCE = Path(__file__).with_name("reference.json")
ARCHITECTURES = ("sake", "so3krates")
STRUCTURES = {"ethanol": ethanol, "triclinic_box": triclinic_box}
DIGITS = 12


def numbers_of(architecture, structure):
    """Energy (eV), forces (eV/A) and stress (eV/A^3) of the default configuration with the weights of seed 0."""
    prediction = evaluate(make_potential({"name": architecture}), STRUCTURES[structure]())
    return {
        "energy": prediction.energy[0],
        "forces": prediction.forces,
        "stress": prediction.stress[0].nan_to_num(),
    }


def as_json(value):
    """Nested lists of numbers rounded to DIGITS significant digits."""
    if isinstance(value, dict):
        return {key: as_json(one) for key, one in value.items()}
    if isinstance(value, (list, tuple)):
        return [as_json(one) for one in value]
    return float(f"{value:.{DIGITS}g}")


def main():
    document = {
        architecture: {
            structure: {key: value.tolist() for key, value in numbers_of(architecture, structure).items()}
            for structure in STRUCTURES
        }
        for architecture in ARCHITECTURES
    }
    REFERENCE.write_text(json.dumps(as_json(document), indent=1) + "\n")


if __name__ == "__main__":
    main()
