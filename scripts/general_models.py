"""The general models, in the order of their tables."""

GENERAL = ("so3krates-gfn2", "sake-gfn2", "so3krates-nonlocal-gfn2")
