"""Files in volumes: written, read, listed and removed, by those who may."""

import io

import pytest
from databricks.sdk.errors import AlreadyExists, BadRequest, NotFound, PermissionDenied
from databricks.sdk.service.catalog import VolumeType


@pytest.fixture(scope="module")
def volume(sim):
    ci = sim.client("dev", "ci")
    ci.schemas.create("wire_files", "dev")
    made = ci.volumes.create("dev", "wire_files", "landing", VolumeType.MANAGED)
    return f"/Volumes/{made.full_name.replace('.', '/')}"


@pytest.fixture(scope="module")
def files(sim):
    return sim.client("dev", "ci").files


def test_a_file_comes_back_byte_by_byte(files, volume):
    content = bytes(range(256)) * 40
    files.upload(f"{volume}/in/day 1/a%b.bin", io.BytesIO(content), overwrite=False)
    assert files.download(f"{volume}/in/day 1/a%b.bin").contents.read() == content
    told = files.get_metadata(f"{volume}/in/day 1/a%b.bin")
    assert told.content_length == len(content) and told.last_modified


def test_a_file_is_replaced_only_when_asked(files, volume):
    path = f"{volume}/once.txt"
    files.upload(path, io.BytesIO(b"first"))
    with pytest.raises(AlreadyExists):
        files.upload(path, io.BytesIO(b"second"), overwrite=False)
    assert files.download(path).contents.read() == b"first"
    files.upload(path, io.BytesIO(b"second"), overwrite=True)
    assert files.download(path).contents.read() == b"second"


def test_folders_hold_what_was_put_there(files, volume):
    files.create_directory(f"{volume}/tree/branch")
    for name in ("a", "b", "c"):
        files.upload(f"{volume}/tree/{name}.txt", io.BytesIO(name.encode()))
    listed = {entry.name: entry for entry in files.list_directory_contents(f"{volume}/tree", page_size=2)}
    assert set(listed) == {"a.txt", "b.txt", "c.txt", "branch"}
    assert listed["branch"].is_directory and listed["a.txt"].file_size == 1
    files.get_directory_metadata(f"{volume}/tree/branch")
    with pytest.raises(BadRequest, match="not empty"):
        files.delete_directory(f"{volume}/tree")
    files.delete_directory(f"{volume}/tree/branch")
    with pytest.raises(NotFound):
        files.get_directory_metadata(f"{volume}/tree/branch")


def test_what_is_not_there_is_not_found(files, volume):
    for act in (lambda p: files.download(p), lambda p: files.delete(p), lambda p: list(files.list_directory_contents(p))):
        with pytest.raises(NotFound):
            act(f"{volume}/nothing/here")
    with pytest.raises(NotFound):
        files.upload("/Volumes/dev/wire_files/no_volume/a.txt", io.BytesIO(b""))


def test_who_may_not_read_the_volume_does_not(sim, files, volume):
    files.upload(f"{volume}/secret.txt", io.BytesIO(b"x"))
    with pytest.raises(PermissionDenied):
        sim.client("dev", "reader").files.download(f"{volume}/secret.txt")
