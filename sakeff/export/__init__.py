"""Programs: a potential with its neighbour lists, eager or in a TorchScript file that runs alone."""
