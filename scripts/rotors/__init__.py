"""Parts of cumulene.py: geometries, labels, profiles, document."""
