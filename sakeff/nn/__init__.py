"""Building blocks of representations: radial bases, envelopes, angular functions and small networks."""
