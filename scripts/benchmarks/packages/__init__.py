"""One file for each package that is timed: ``make(options, structure, settings)`` gives a function positions -> forces.

The files of other packages run in environments where sakeff is not installed, so they import nothing of it.
"""
