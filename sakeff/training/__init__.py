"""Losses, steps, loop and evaluation: how a potential is trained on `Frames`."""
