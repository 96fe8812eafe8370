"""Parts of quality.py and make_gfn2_references.py: what is compared with GFN2-xTB, and how."""
