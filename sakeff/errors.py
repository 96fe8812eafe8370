"""Every exception a user can meet. Each message names the cause and the mend in one sentence."""


class SakeffError(Exception):
    """Base of all errors that this package raises on purpose."""


class DataError(SakeffError, ValueError):
    """A data set cannot be read, lacks labels or contradicts itself."""


class StructureError(SakeffError, ValueError):
    """A structure cannot be evaluated: unknown element, non-finite or overlapping atoms, bad cell, wrong charge."""


class GradientsDisabledError(SakeffError, RuntimeError):
    """A potential was called where torch computes no gradients, so that it has no forces."""


class NeighbourError(SakeffError, ValueError):
    """A neighbour list cannot be built or has overflowed."""


class ConfigError(SakeffError, ValueError):
    """A configuration is not valid."""


class CheckpointError(SakeffError, ValueError):
    """A checkpoint or an exported program is missing, damaged or of another version."""


class OutputExistsError(SakeffError, FileExistsError):
    """An output file exists already and overwriting was not asked for."""


class OutputError(SakeffError, OSError):
    """An output file cannot be written."""


class EngineUnavailableError(SakeffError, ImportError):
    """An optional engine or library is not installed or does not load."""


class OperatorsUnavailableError(SakeffError, ImportError):
    """The C++ operators of the fast path cannot be compiled or loaded."""


class AgreementError(SakeffError, RuntimeError):
    """A fast path differs from the reference by more than it may."""


class SimulationError(SakeffError, RuntimeError):
    """A simulation or an optimisation failed: numbers went non-finite or a bond exploded."""


class StoppedError(SakeffError, RuntimeError):
    """A signal asked a simulation to stop. No SimulationError: nothing failed."""


class TrainingError(SakeffError, RuntimeError):
    """Training cannot go on: non-finite loss or a resume that does not fit its checkpoint."""
