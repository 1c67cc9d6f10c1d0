"""A folder of folders of images is read in one order, and what is wrong with it is said by name."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
import torch
from PIL import Image

from labsupport.errors import LabsError
from labsupport.training.data import load_dataset
from labsupport.training.data.pictures import MEAN, STD


def write(path: Path, colour: tuple[int, int, int] = (10, 20, 30), size: tuple[int, int] = (40, 30)) -> None:
    path.parent.mkdir(parents=True, exist_ok=True)
    Image.new("RGB", size, colour).save(path)


@pytest.fixture
def root(tmp_path) -> Path:
    folder = tmp_path / "imagenet"
    for split in ("train", "val"):
        write(folder / split / "n02" / "b.png", (0, 0, 255))
        write(folder / split / "n01" / "z.JPEG", (255, 0, 0), size=(30, 64))
        write(folder / split / "n01" / "a.png", (0, 255, 0))
    return folder


def test_classes_and_images_are_ordered_by_name(root):
    samples, info = load_dataset("imagenet", root=root, image_size=16)
    assert [samples[index][1].item() for index in range(3)] == [0, 0, 1]
    assert [Path(path).name for path, _ in samples.files] == ["a.png", "z.JPEG", "b.png"]
    assert (info.num_classes, info.num_samples, info.channels, info.image_size) == (2, 3, 3, 16)


def test_an_image_becomes_a_normalised_square_of_its_centre(root):
    samples, _ = load_dataset("imagenet", root=root, image_size=16)
    image, label = samples[0]
    assert (image.shape, image.dtype, label.dtype) == ((3, 16, 16), torch.float32, torch.int64)
    pixels = image * torch.tensor(STD).view(3, 1, 1) + torch.tensor(MEAN).view(3, 1, 1)
    torch.testing.assert_close(pixels, torch.tensor([0.0, 1.0, 0.0]).view(3, 1, 1).expand(3, 16, 16))


def test_the_cut_takes_the_middle_of_the_longer_side(tmp_path):
    stripes = np.zeros((8, 24, 3), np.uint8)
    stripes[:, 8:16] = 255  # the middle third of the width
    path = tmp_path / "train" / "n01" / "stripes.png"
    path.parent.mkdir(parents=True)
    Image.fromarray(stripes).save(path)
    samples, _ = load_dataset("imagenet", root=tmp_path, image_size=32)
    pixels = samples[0][0] * torch.tensor(STD).view(3, 1, 1) + torch.tensor(MEAN).view(3, 1, 1)
    assert pixels[:, :, 8:24].min() > 0.99


def test_the_size_is_224_unless_another_is_asked_for(root):
    samples, info = load_dataset("imagenet", root=root)
    assert samples[0][0].shape == (3, 224, 224)
    assert info.image_size == 224


def test_grey_and_transparent_images_become_three_channels(tmp_path):
    for mode in ("L", "RGBA", "P", "CMYK"):
        path = tmp_path / "train" / "n01" / f"{mode}.{'jpg' if mode == 'CMYK' else 'png'}"
        path.parent.mkdir(parents=True, exist_ok=True)
        Image.new(mode, (20, 20)).save(path)
    samples, _ = load_dataset("imagenet", root=tmp_path, image_size=16)
    assert [tuple(samples[index][0].shape) for index in range(4)] == [(3, 16, 16)] * 4


def test_the_test_split_is_val_and_numbers_its_classes_as_train_does(root):
    for path in (root / "val" / "n01").iterdir():
        path.unlink()
    (root / "val" / "n01").rmdir()
    samples, info = load_dataset("imagenet", "test", root=root, image_size=16)
    assert samples[0][1].item() == 1  # n02, though it is the only class here
    assert info.num_classes == 2


def test_a_class_of_val_that_train_does_not_have_is_refused(root):
    write(root / "val" / "n09" / "a.png")
    with pytest.raises(LabsError, match=r"class n09 of .*val is not in .*train"):
        load_dataset("imagenet", "test", root=root)


def test_a_missing_folder_says_what_layout_is_expected(tmp_path):
    with pytest.raises(LabsError, match=r"train does not exist.*data_root.*train/<class>/\*.JPEG.*image-net.org"):
        load_dataset("imagenet", root=tmp_path)
    with pytest.raises(LabsError, match=r"workspace/data/imagenet/train does not exist"):
        load_dataset("imagenet")


def test_images_that_are_not_in_class_folders_are_explained(root):
    for folder in (root / "val").iterdir():
        for path in folder.iterdir():
            path.rename(root / "val" / path.name)
        folder.rmdir()
    with pytest.raises(LabsError, match="val has no folders: put each image into a folder named as its class"):
        load_dataset("imagenet", "test", root=root)


def test_a_class_without_images_is_refused_by_name(root):
    (root / "train" / "n03").mkdir()
    (root / "train" / "n03" / "notes.txt").write_text("no image")
    with pytest.raises(LabsError, match=r"n03 has no .jpeg, .jpg, .png files"):
        load_dataset("imagenet", root=root)


@pytest.mark.parametrize("damage", ["cut", "text", "empty"])
def test_an_image_that_cannot_be_decoded_is_named_when_it_is_asked_for(root, damage):
    path = root / "train" / "n01" / "z.JPEG"
    path.write_bytes({"cut": path.read_bytes()[:-200], "text": b"no image", "empty": b""}[damage])
    samples, _ = load_dataset("imagenet", root=root, image_size=16)
    samples[0]
    with pytest.raises(LabsError, match=r"z.JPEG cannot be decoded"):
        samples[1]


def test_hidden_files_and_folders_named_like_images_are_left_out(root):
    (root / "train" / "n01" / "._a.png").write_bytes(b"\0\5\x16\7" + bytes(400))  # AppleDouble
    (root / "train" / "n01" / ".DS_Store").write_bytes(b"\0")
    (root / "train" / "n02" / "thumbs.png").mkdir()
    (root / "train" / ".cache").mkdir()
    samples, info = load_dataset("imagenet", root=root, image_size=16)
    assert [Path(path).name for path, _ in samples.files] == ["a.png", "z.JPEG", "b.png"]
    assert info.num_classes == 2


def test_a_link_that_leads_nowhere_is_refused_by_name_when_it_is_read(root):
    (root / "train" / "n01" / "gone.png").symlink_to(root / "nowhere.png")
    samples, _ = load_dataset("imagenet", root=root, image_size=16)
    assert len(samples) == 4
    with pytest.raises(LabsError, match=r"gone\.png cannot be decoded"):
        samples[1]
