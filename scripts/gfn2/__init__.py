"""Parts of make_gfn2_dataset.py: molecules, geometries, labels, splits."""
