"""Relax riboflavin, watch the energy fall, and see how far the minimum is from that of GFN2-xTB."""

from pathlib import Path

from sakeff.drivers import relax, relaxation_in
from sakeff.structures import load_structure

out = Path("riboflavin")
result = relax(
    load_structure("riboflavin"),
    "so3krates-gfn2",
    fmax=0.01,
    reference=load_structure("riboflavin_gfn2"),
    outputs=relaxation_in(out),
    progress=True,
)
print(f"converged: {result.converged} after {result.steps} steps, largest force {result.fmax:.4f} eV/A")
print(f"RMSD to the GFN2-xTB minimum: {result.rmsd:.3f} A; files in {out}/")
