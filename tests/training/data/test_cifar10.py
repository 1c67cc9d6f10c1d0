"""CIFAR-10 is read from archives in the publisher's binary format, and nothing in an archive is trusted."""

from __future__ import annotations

import errno
import hashlib
import io
import tarfile
import tempfile
from pathlib import Path

import numpy as np
import pytest
import torch

from labsupport.errors import LabsError
from labsupport.training.data import load_dataset
from labsupport.training.data.cifar10 import (
    ARCHIVE,
    FILES,
    FOLDER,
    MEAN,
    RECORD_BYTES,
    RECORDS_PER_FILE,
    STD,
    load_cifar10,
)
from labsupport.training.data.download import Published

PER_FILE = 4
REFUSED = "https://127.0.0.1:9/cifar-10-binary.tar.gz"  # port 9 (discard): nothing listens


@pytest.fixture(autouse=True)
def small_files(monkeypatch):
    """Let a whole batch file have four records instead of ten thousand."""
    monkeypatch.setattr("labsupport.training.data.cifar10.RECORDS_PER_FILE", PER_FILE)


def batch(seed: int) -> bytes:
    """Records as the publisher describes them: a label, then 1,024 red, 1,024 green and 1,024 blue bytes."""
    random = np.random.default_rng(seed)
    records = random.integers(0, 256, (PER_FILE, RECORD_BYTES), dtype=np.uint8)
    records[:, 0] = random.integers(0, 10, PER_FILE)
    return records.tobytes()


BATCHES = {name: batch(seed) for seed, name in enumerate((*FILES["train"], *FILES["test"]))}


def add(tar: tarfile.TarFile, name: str, content: bytes) -> None:
    member = tarfile.TarInfo(name)
    member.size = len(content)
    tar.addfile(member, io.BytesIO(content))


def archive(folder: Path, batches: dict[str, bytes] = BATCHES, extra: str | None = None) -> Published:
    """Put an archive into `folder` and return it as one that was published with this digest, at a refused address."""
    path = folder / "cifar-10-binary.tar.gz"
    with tarfile.open(path, "w:gz") as tar:
        for name, content in batches.items():
            add(tar, f"{FOLDER}/{name}", content)
        if extra:
            add(tar, extra, b"planted")
    return Published(REFUSED, hashlib.md5(path.read_bytes()).hexdigest())


def test_the_published_digest_is_that_of_the_binary_version():
    # Quoted: https://www.cs.toronto.edu/~kriz/cifar.html
    assert ARCHIVE.md5 == "c32a1d4ab5d03f1284b67883e8d87530"
    assert ARCHIVE.url == "https://www.cs.toronto.edu/~kriz/cifar-10-binary.tar.gz"


@pytest.mark.parametrize(("split", "count"), [("train", 5 * PER_FILE), ("test", PER_FILE)])
def test_pixels_and_labels_come_out_as_they_went_in(tmp_path, split, count):
    samples, info = load_cifar10(split, tmp_path, archive=archive(tmp_path))
    assert len(samples) == info.num_samples == count
    assert (info.num_classes, info.channels, info.image_size) == (10, 3, 32)
    written = b"".join(BATCHES[name] for name in FILES[split])
    for index in range(count):
        record = written[index * RECORD_BYTES : (index + 1) * RECORD_BYTES]
        image, label = samples[index]
        assert label.item() == record[0]
        assert (image.shape, image.dtype, label.dtype) == ((3, 32, 32), torch.float32, torch.int64)
        pixels = (image * torch.tensor(STD).view(3, 1, 1) + torch.tensor(MEAN).view(3, 1, 1)) * 255
        assert bytes(pixels.round().to(torch.uint8).flatten().tolist()) == record[1:]


def test_an_unpacked_folder_is_used_without_its_archive(tmp_path):
    published = archive(tmp_path)
    load_cifar10("test", tmp_path, archive=published)
    (tmp_path / "cifar-10-binary.tar.gz").unlink()
    samples, _ = load_cifar10("train", tmp_path, archive=published)
    assert len(samples) == 5 * PER_FILE
    samples, _ = load_dataset("cifar10", "test", root=tmp_path)
    assert len(samples) == PER_FILE


def test_images_are_resized_when_another_size_is_asked_for(tmp_path):
    samples, info = load_cifar10("test", tmp_path, image_size=48, archive=archive(tmp_path))
    assert samples[0][0].shape == (3, 48, 48)
    assert info.image_size == 48


def test_an_archive_with_another_digest_is_refused_and_not_unpacked(tmp_path):
    published = Published(archive(tmp_path).url, "0" * 32)
    with pytest.raises(LabsError, match="it is damaged, delete it"):
        load_cifar10("train", tmp_path, archive=published)
    assert not (tmp_path / FOLDER).exists()


@pytest.mark.parametrize("planted", ["../escaped", "/tmp/labs-escaped", f"{FOLDER}/../../escaped"])
def test_a_member_that_points_elsewhere_is_never_written(tmp_path, planted):
    root = tmp_path / "data"
    root.mkdir()
    load_cifar10("train", root, archive=archive(root, extra=planted))
    assert not (tmp_path / "escaped").exists()
    assert not Path("/tmp/labs-escaped").exists()
    assert {path.name for path in (root / FOLDER).iterdir()} == set(BATCHES)


def test_a_link_in_place_of_a_batch_is_refused(tmp_path):
    path = tmp_path / "cifar-10-binary.tar.gz"
    with tarfile.open(path, "w:gz") as tar:
        member = tarfile.TarInfo(f"{FOLDER}/data_batch_1.bin")
        member.type, member.linkname = tarfile.SYMTYPE, "/etc/hostname"
        tar.addfile(member)
    published = Published(REFUSED, hashlib.md5(path.read_bytes()).hexdigest())
    with pytest.raises(LabsError, match="cannot be unpacked"):
        load_cifar10("train", tmp_path, archive=published)


def test_an_archive_that_lacks_a_batch_leaves_nothing_behind(tmp_path):
    some = {name: content for name, content in BATCHES.items() if name != "data_batch_3.bin"}
    with pytest.raises(LabsError, match=r"cannot be unpacked.*data_batch_3.bin"):
        load_cifar10("train", tmp_path, archive=archive(tmp_path, some))
    assert not (tmp_path / FOLDER).exists()
    assert not list(tmp_path.glob(".unpacking*"))


@pytest.mark.parametrize(
    ("content", "sentence"),
    [
        (BATCHES["test_batch.bin"][:-1], "has 12,291 bytes, 12,292 were published"),
        (b"", "0 bytes"),
        (bytes([10]) + bytes(PER_FILE * RECORD_BYTES - 1), "label 10, 0 to 9 are possible"),
        (None, "test_batch.bin is missing"),
    ],
)
def test_a_damaged_batch_is_refused_by_name(tmp_path, content, sentence):
    load_cifar10("test", tmp_path, archive=archive(tmp_path))
    path = tmp_path / FOLDER / "test_batch.bin"
    if content is None:
        path.unlink()
    else:
        path.write_bytes(content)
    with pytest.raises(LabsError, match=sentence):
        load_dataset("cifar10", "test", root=tmp_path)


def test_without_archive_and_connection_one_line_says_what_to_do(tmp_path):
    with pytest.raises(LabsError) as raised:
        load_cifar10("train", tmp_path, archive=Published(REFUSED, ARCHIVE.md5))
    sentence = str(raised.value)
    assert f"put it into {tmp_path}" in sentence
    assert REFUSED in sentence
    assert "\n" not in sentence


def test_the_version_made_of_pickles_is_not_opened_and_the_error_says_why(tmp_path):
    (tmp_path / "cifar-10-python.tar.gz").write_bytes(b"pickles")
    with pytest.raises(LabsError, match=r"cifar-10-python.tar.gz.*is not opened: unpickling runs code"):
        load_cifar10("train", tmp_path, archive=Published(REFUSED, ARCHIVE.md5))


def test_the_published_files_have_ten_thousand_records_each(monkeypatch):
    monkeypatch.undo()
    assert RECORDS_PER_FILE == 10_000


def test_a_file_that_was_cut_between_two_records_is_refused(tmp_path):
    published = archive(tmp_path)
    load_cifar10("test", tmp_path, archive=published)
    file = tmp_path / FOLDER / "test_batch.bin"
    file.write_bytes(file.read_bytes()[: 3 * RECORD_BYTES])
    with pytest.raises(LabsError, match=r"test_batch\.bin has 9,219 bytes, 12,292 were published"):
        load_cifar10("test", tmp_path, archive=published)


def test_an_archive_in_a_folder_that_cannot_be_written_is_unpacked_in_the_workspace(tmp_path, monkeypatch, isolated):
    published = archive(tmp_path)
    real = tempfile.TemporaryFile

    def read_only(*args, dir, **kwargs):
        if Path(dir) == tmp_path:
            raise OSError(errno.EROFS, "Read-only file system")
        return real(*args, dir=dir, **kwargs)

    monkeypatch.setattr("tempfile.TemporaryFile", read_only)
    samples, _ = load_cifar10("test", tmp_path, archive=published)
    assert len(samples) == PER_FILE
    assert sorted(path.name for path in tmp_path.iterdir()) == ["cifar-10-binary.tar.gz", "workspace"]
    assert (isolated / "data" / FOLDER / "test_batch.bin").is_file()
