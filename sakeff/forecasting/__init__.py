"""Forecasting of particle dynamics: the charged N-body task, its data, model and training."""
