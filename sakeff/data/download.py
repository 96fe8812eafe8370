"""Fetch the files of revised MD17, split 01, and check them: from the public archive, a mirror or a local folder."""

from __future__ import annotations

import hashlib
import shutil
from contextlib import contextmanager
from pathlib import Path
from typing import BinaryIO, Dict, Iterator, List, Optional, Sequence, Union
from urllib.error import URLError
from urllib.parse import urlparse
from urllib.request import urlopen

from tqdm import tqdm

from sakeff.data.checksums import RMD17_SHA256
from sakeff.errors import DataError
from sakeff.io import atomic_path

RMD17_SOURCE = "https://raw.githubusercontent.com/andersx/rmd17-npz/HEAD/rmd17-npz"
SCHEMES = ("https", "http", "file")
TIMEOUT = 60.0  # s without an answer
BLOCK = 1 << 20


def rmd17_molecules() -> List[str]:
    """Names of the molecules that can be fetched."""
    return sorted({name.split("_")[1] for name in RMD17_SHA256})


def fetch_rmd17(
    folder: Union[str, Path],
    molecules: Optional[Sequence[str]] = None,
    source: Union[str, Path] = RMD17_SOURCE,
    show_progress: bool = True,
) -> List[Path]:
    """Training and test files of split 01 of some molecules (default: all ten) in `folder`; returns their paths.

    `source` is a URL or a local folder with the same files, for machines without a network. Correct files that are
    there already are kept. Raises `DataError` for an unknown molecule, a file that cannot be fetched or whose SHA-256
    is wrong; nothing incomplete is left behind.
    """
    chosen = rmd17_molecules() if molecules is None else list(molecules)
    unknown = sorted(set(chosen) - set(rmd17_molecules()))
    if unknown:
        raise DataError(f"MD17 has no {', '.join(unknown)}; choose among {', '.join(rmd17_molecules())}.")
    names = [f"rmd17_{molecule}_{part}_01.npz" for molecule in chosen for part in ("train", "test")]
    return fetch_files({name: RMD17_SHA256[name] for name in names}, folder, str(source), show_progress)


def fetch_files(checksums: Dict[str, str], folder: Union[str, Path], source: str, show_progress: bool) -> List[Path]:
    """Files by name and SHA-256 from `source` (URL or folder) into `folder`; see `fetch_rmd17`."""
    paths = [Path(folder) / name for name in checksums]
    for path in tqdm(paths, unit="file", disable=not show_progress):
        if not (path.is_file() and _sha256(path) == checksums[path.name]):
            _fetch(path, checksums[path.name], source)
    return paths


def _fetch(path: Path, expected: str, source: str) -> None:
    with atomic_path(path, overwrite=True) as temporary:
        try:
            with _opened(source, path.name) as stream, temporary.open("wb") as file:
                shutil.copyfileobj(stream, file, BLOCK)
        except (URLError, TimeoutError, FileNotFoundError) as error:
            raise DataError(
                f"{path.name} cannot be fetched from {source} ({error}); check the network or give a local folder."
            ) from error
        if _sha256(temporary) != expected:
            raise DataError(f"{path.name} from {source} is not the published file (its SHA-256 differs); try again.")


@contextmanager
def _opened(source: str, name: str) -> Iterator[BinaryIO]:
    scheme = urlparse(source).scheme
    if scheme not in SCHEMES:
        with (Path(source) / name).open("rb") as stream:
            yield stream
        return
    with urlopen(f"{source.rstrip('/')}/{name}", timeout=TIMEOUT) as stream:  # noqa: S310, the scheme was checked
        yield stream


def _sha256(path: Path) -> str:
    digest = hashlib.sha256()
    with path.open("rb") as stream:
        for block in iter(lambda: stream.read(BLOCK), b""):
            digest.update(block)
    return digest.hexdigest()
