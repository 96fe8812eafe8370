"""From a potential to the same potential on a fast path."""

import copy
import logging
from typing import NamedTuple

import torch
from torch import nn

from sakeff.errors import ConfigError, OperatorsUnavailableError
from sakeff.fast.build import load_operators
from sakeff.fast.sake import FastSake
from sakeff.fast.so3krates import FastSo3krates
from sakeff.potential import Potential

logger = logging.getLogger(__name__)

# "native": C++ operators on the CPU, their torch twins elsewhere. "torch": the twins, which need no compiler.
# "reference": the potential as it was trained. "auto": the first of them that is to be had.
KERNELS = ("auto", "native", "torch", "reference")
# Largest relative error of value and slope of a tabulated function.
TABLE_TOLERANCE = {torch.float32: 1e-6, torch.float64: 1e-8}


class Accelerated(NamedTuple):
    """A potential, the kernels it uses and why."""

    potential: Potential
    kernels: str
    reason: str


def accelerate(potential: Potential, kernels: str, dtype: torch.dtype) -> Accelerated:
    """A copy of a potential in ``dtype`` on the path asked for; weights are frozen.

    Raises ConfigError for unknown kernels and for a representation without a fast path, OperatorsUnavailableError if
    "native" was asked for and cannot be had.
    """
    if kernels not in KERNELS:
        raise ConfigError(f"Unknown kernels {kernels!r}; choose one of {list(KERNELS)}.")
    exact = copy.deepcopy(potential).requires_grad_(False).eval()
    maker = fast_form(exact.representation)
    tolerance = TABLE_TOLERANCE[dtype]
    if kernels == "reference":
        return Accelerated(exact.to(dtype), "reference", "as asked")
    if maker is None:
        name = type(exact.representation).__name__
        if kernels != "auto":
            raise ConfigError(f"This {name} has no fast path; use kernels='reference' or 'auto'.")
        return Accelerated(exact.to(dtype), "reference", f"this {name} has no fast path")
    exact = exact.double()
    exact.representation = maker(exact.representation, tolerance)
    fast = exact.to(dtype).requires_grad_(False)
    if kernels == "torch":
        return Accelerated(fast, "torch", "as asked")
    try:
        load_operators()
    except OperatorsUnavailableError as error:
        if kernels == "native":
            raise
        logger.warning("%s Running on the slower torch kernels.", error)
        return Accelerated(fast, "torch", str(error))
    use_operators(fast.representation)
    return Accelerated(fast, "native", "C++ operators")


def fast_form(representation: nn.Module) -> type[FastSo3krates] | type[FastSake] | None:
    """What makes the fast form of a representation, called with it and the tolerance of tables, or None."""
    for form in (FastSo3krates, FastSake):
        if form.supports(representation):
            return form
    return None


def use_operators(representation: nn.Module) -> None:
    """Replace the steps that have an operator, in place; the operators must be loaded."""
    from sakeff.fast.sake_native import NativeAtomLayer, NativeEdgeEnvelope, NativeEdgeLayer
    from sakeff.fast.so3krates_native import NativeInteraction, NativePairAttention, NativePairGeometry

    if isinstance(representation, FastSo3krates):
        degrees = representation.geometry.degrees
        representation.geometry = NativePairGeometry(representation.geometry)
        for layer in representation.layers:
            layer.attention = NativePairAttention(layer.attention)
            layer.interaction = NativeInteraction(layer.interaction, degrees)
            for far in layer.far:
                far.geometry = representation.geometry
    else:
        if NativeEdgeEnvelope.supports(representation.envelope):
            representation.envelope = NativeEdgeEnvelope(representation.envelope)
        for layer in representation.layers:
            layer.edge_layer = NativeEdgeLayer(layer.edge_layer)
            if NativeAtomLayer.supports(layer.atom_layer):
                layer.atom_layer = NativeAtomLayer(layer.atom_layer)
