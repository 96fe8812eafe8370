"""The parts of scripts/benchmark.py: structures, workers, timing, memory, dynamics, and what is made of the numbers."""
