"""``sakeff models``."""

import click


@click.command()
def models() -> None:
    """List the bundled models."""
    from sakeff.checkpoint import read_document
    from sakeff.drivers.report import table
    from sakeff.zoo import list_models, models_folder

    rows = []
    for name in list_models():
        document = read_document(models_folder() / name)
        provenance, representation = document["provenance"], document["potential"]["representation"]
        elements = symbols(document["potential"]["elements"])
        rows.append([name, representation["name"], elements, str(provenance.get("level_of_theory", "unknown"))])
    click.echo(table(["model", "representation", "elements", "level of theory"], rows))


def symbols(numbers: list[int]) -> str:
    """Chemical symbols of atomic numbers."""
    from ase.data import chemical_symbols

    return " ".join(chemical_symbols[number] for number in numbers)
