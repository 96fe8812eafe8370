"""Writing files without ever losing one: all or nothing, and never over an existing file unasked."""

import os
import tempfile
from contextlib import contextmanager
from pathlib import Path
from typing import Iterator

from sakeff.errors import OutputError, OutputExistsError, SakeffError


def refuse_existing(path: Path, overwrite: bool) -> None:
    """Raise OutputExistsError if ``path`` is there and ``overwrite`` is False."""
    if path.exists() and not overwrite:
        raise OutputExistsError(f"{path} exists already; choose another name or ask for overwriting.")


@contextmanager
def atomic_path(path: Path, overwrite: bool = False) -> Iterator[Path]:
    """A temporary path beside ``path`` that takes its place when the block ends without an error.

    Raises OutputExistsError, or OutputError where the folder cannot be written or the disk is full.
    """
    path = Path(path)
    refuse_existing(path, overwrite)
    try:
        path.parent.mkdir(parents=True, exist_ok=True)
        handle, name = tempfile.mkstemp(dir=path.parent, prefix=f".{path.name}.", suffix=path.suffix)
        os.close(handle)
    except OSError as error:
        raise OutputError(f"{path} cannot be written ({error.strerror}); choose a folder you can write to.") from error
    temporary = Path(name)
    try:
        yield temporary
        _publish(temporary, path)
    except SakeffError:  # of a file written inside the block; some are OSErrors too
        raise
    except OSError as error:
        reason = error.strerror or error
        raise OutputError(f"{path} could not be written ({reason}); free some space and try again.") from error
    finally:
        temporary.unlink(missing_ok=True)


def write_text(path: Path, text: str, overwrite: bool = False) -> None:
    """Write a text file atomically."""
    with atomic_path(path, overwrite) as temporary:
        temporary.write_text(text, encoding="utf-8")


def _publish(temporary: Path, path: Path) -> None:
    """Flush to disk, give the usual permissions (mkstemp gives 0600) and rename."""
    with temporary.open("rb") as stream:
        os.fsync(stream.fileno())
    mask = os.umask(0)
    os.umask(mask)
    temporary.chmod(0o666 & ~mask)
    temporary.replace(path)
