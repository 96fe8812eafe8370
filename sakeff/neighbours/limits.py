"""Numbers that neighbour lists share. TorchScript reads constants as attributes of a module, hence this file."""

# Beyond this many cells (or angstrom, where a direction is open) float64 resolves less than 1e-6 A.
FARTHEST = 1e9
# Smallest volume of a cell whose rows are scaled to length one: flatter than this spans no cell.
FLATTEST = 1e-6
# Sorting keys stay below this, well inside int64.
LARGEST_KEY = 2**62
# Open structures up to this many atoms are searched faster pair by pair than through bins.
SMALL = 400
# Rounding must not move an edge at the cutoff out of the bins that are visited.
MARGIN = 1.0 + 1e-6
# Along one direction; a bin number of three directions then fits int64.
MOST_BINS = 2**20
# Candidate edges held at once, about 100 bytes each.
CANDIDATES = 2**21
