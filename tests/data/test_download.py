import hashlib
import http.server
import threading
from functools import partial

import pytest

from sakeff.data.download import fetch_files, fetch_rmd17, rmd17_molecules
from sakeff.errors import DataError
from tests.helpers import shared_folder

CONTENT = b"frames" * 1000
CHECKSUM = {"some.npz": hashlib.sha256(CONTENT).hexdigest()}


@pytest.fixture
def archive(tmp_path):
    folder = tmp_path / "archive"
    folder.mkdir()
    (folder / "some.npz").write_bytes(CONTENT)
    return folder


class QuietHandler(http.server.SimpleHTTPRequestHandler):
    def log_message(self, *args):
        pass


@pytest.fixture
def server(archive):
    handler = partial(QuietHandler, directory=str(archive))
    with http.server.ThreadingHTTPServer(("127.0.0.1", 0), handler) as running:
        thread = threading.Thread(target=running.serve_forever)
        thread.start()
        yield f"http://127.0.0.1:{running.server_address[1]}"
        running.shutdown()
        thread.join()


def test_over_http(server, tmp_path):
    (path,) = fetch_files(CHECKSUM, tmp_path / "here", server, False)
    assert path.read_bytes() == CONTENT
    with pytest.raises(DataError, match="cannot be fetched"):
        fetch_files({"none.npz": "0"}, tmp_path / "here", server, False)
    assert [p.name for p in path.parent.iterdir()] == ["some.npz"]


@pytest.mark.parametrize("as_source", [str, lambda folder: folder.as_uri()])
def test_from_a_local_folder(archive, tmp_path, as_source):
    (path,) = fetch_files(CHECKSUM, tmp_path / "here", as_source(archive), False)
    assert path.read_bytes() == CONTENT


def test_a_correct_file_is_kept_and_a_wrong_one_replaced(archive, tmp_path):
    (path,) = fetch_files(CHECKSUM, tmp_path / "here", str(archive), False)
    fetch_files(CHECKSUM, tmp_path / "here", str(tmp_path / "nowhere"), False)
    path.write_bytes(b"cut short")
    fetch_files(CHECKSUM, tmp_path / "here", str(archive), False)
    assert path.read_bytes() == CONTENT


def test_a_wrong_checksum_leaves_nothing(archive, tmp_path):
    (archive / "some.npz").write_bytes(CONTENT[:-1])
    with pytest.raises(DataError, match="SHA-256"):
        fetch_files(CHECKSUM, tmp_path / "here", str(archive), False)
    assert list((tmp_path / "here").iterdir()) == []


def test_unknown_molecules_are_refused(tmp_path):
    assert len(rmd17_molecules()) == 10
    with pytest.raises(DataError, match="choose among"):
        fetch_rmd17(tmp_path, ["caffeine"])


def test_the_public_files_match_the_checksums(tmp_path):
    source = shared_folder() / "data" / "rmd17"
    if not source.exists():
        pytest.skip("the rMD17 files are not beside this checkout")
    paths = fetch_rmd17(tmp_path, ["ethanol"], source, show_progress=False)
    assert [path.name for path in paths] == ["rmd17_ethanol_train_01.npz", "rmd17_ethanol_test_01.npz"]
