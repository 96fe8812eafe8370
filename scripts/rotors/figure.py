"""docs/cumulene.png from docs/cumulene.json."""

from typing import Any

from matplotlib.figure import Figure


def figure_of(document: dict[str, Any]) -> Figure:
    """One panel for each molecule: GFN2-xTB, local and non-local energies over the dihedral."""
    molecules = document["reference"]
    figure = Figure(figsize=(3.3 * len(molecules), 3.4), layout="constrained")
    for panel, (name, reference) in zip(figure.subplots(1, len(molecules)), molecules.items(), strict=True):
        panel.plot(reference["angles"], reference["energies"], "k-", label="GFN2-xTB")
        for model, style in (("local", "C1--"), ("nonlocal", "C0o")):
            energies = document["models"][model]["profiles"][name]["energies"]
            panel.plot(reference["angles"], energies, style, label=model.replace("nonlocal", "non-local"), ms=3)
        panel.set(title=name, xlabel="dihedral H-C-C-H / degrees", xticks=[0, 45, 90, 135, 180])
    figure.axes[0].set_ylabel("energy / eV")
    figure.axes[0].legend(fontsize=8)
    return figure
