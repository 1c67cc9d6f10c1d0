"""Every data set is the same on every load, is made of tensors, and an unknown one is refused with those there are."""

from __future__ import annotations

import pickle

import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st

from labsupport.errors import LabsError
from labsupport.training.data import load_dataset
from labsupport.training.data.augment import Augmented
from labsupport.training.data.samples import ImageTensors
from labsupport.training.data.text import ByteWindows


@pytest.fixture(autouse=True)
def one_thread():
    torch.set_num_threads(1)


def test_digits_are_split_into_disjoint_parts_with_equal_shares_of_the_classes():
    train, train_info = load_dataset("digits")
    test, test_info = load_dataset("digits", "test")
    assert (len(train), len(test)) == (train_info.num_samples, test_info.num_samples) == (1437, 360)
    for samples in (train, test):
        shares = torch.bincount(samples.labels, minlength=10) / len(samples)
        assert shares.min() > 0.09
        assert shares.max() < 0.11
    rows = {bytes(image.flatten().to(torch.uint8).tolist()) for image in train.images}
    assert not any(bytes(image.flatten().to(torch.uint8).tolist()) in rows for image in test.images)


@pytest.mark.parametrize(("asked", "size"), [(None, 8), (8, 8), (16, 16), (32, 32)])
def test_digits_have_one_channel_and_the_size_asked_for(asked, size):
    samples, info = load_dataset("digits", image_size=asked)
    image, label = samples[0]
    assert (image.shape, image.dtype) == ((1, size, size), torch.float32)
    assert (label.shape, label.dtype) == ((), torch.int64)
    assert (info.image_size, info.channels, info.num_classes) == (size, 1, 10)


def test_digits_are_normalised_by_the_training_split():
    samples, _ = load_dataset("digits")
    images = torch.stack([samples[index][0] for index in range(len(samples))])
    assert images.mean().item() == pytest.approx(0, abs=1e-5)
    assert images.std().item() == pytest.approx(1, abs=1e-5)


def test_digits_come_in_three_sizes_only():
    with pytest.raises(LabsError, match="image_size is 64: data set digits has 8, 16, 32"):
        load_dataset("digits", image_size=64)


@pytest.mark.parametrize("split", ["train", "test"])
@pytest.mark.parametrize("name", ["digits", "text"])
def test_two_loads_give_equal_samples_and_touch_no_global_random_numbers(name, split):
    torch.manual_seed(1)
    state = torch.get_rng_state()
    (one, first), (two, second) = load_dataset(name, split), load_dataset(name, split)
    assert first == second
    for index in (0, len(one) // 2, len(one) - 1):
        assert all(torch.equal(a, b) for a, b in zip(one[index], two[index], strict=True))
    assert torch.equal(torch.get_rng_state(), state)


@pytest.mark.parametrize("name", ["digits", "text"])
def test_samples_survive_pickling(name):
    samples, _ = load_dataset(name, "test")
    copy = pickle.loads(pickle.dumps(samples))
    assert len(copy) == len(samples)
    assert all(torch.equal(a, b) for a, b in zip(copy[3], samples[3], strict=True))


def test_text_is_english_and_its_test_split_the_last_twentieth():
    train, info = load_dataset("text", sequence=64)
    test, _ = load_dataset("text", "test", sequence=64)
    assert info.vocabulary == 256
    assert info.source.startswith("pydoc_data.topics of CPython 3.")
    inputs, _ = train[0]
    assert bytes(inputs.tolist()).decode().isprintable() or "\n" in bytes(inputs.tolist()).decode()
    assert len(test.tokens) / (len(test.tokens) + len(train.tokens)) == pytest.approx(0.05, abs=0.001)
    whole = bytes(train.tokens.tolist()).decode()
    assert 'The "for" statement is used to iterate over the elements of a sequence' in " ".join(whole.split())


@settings(max_examples=100, deadline=None)
@given(length=st.integers(0, 200), sequence=st.integers(1, 50))
def test_windows_tile_the_text_and_each_target_is_the_next_token(length, sequence):
    tokens = torch.arange(length, dtype=torch.uint8)
    windows = ByteWindows(tokens, sequence)
    assert len(windows) == max(0, length - 1) // sequence
    read: list[int] = []
    for index in range(len(windows)):
        inputs, targets = windows[index]
        assert (inputs.shape, inputs.dtype) == ((sequence,), torch.int64)
        assert torch.equal(targets, inputs + 1)
        read += inputs.tolist()
    assert read == list(range(len(windows) * sequence))
    with pytest.raises(IndexError):
        windows[len(windows)]


@pytest.mark.parametrize("sequence", [0, -1, 10**9])
def test_a_window_that_does_not_fit_the_text_is_refused_with_what_fits(sequence):
    with pytest.raises(LabsError, match=rf"sequence is {sequence}: the test split of data set text has \d+ bytes"):
        load_dataset("text", "test", sequence=sequence)


@pytest.mark.parametrize(
    ("name", "options", "sentence"),
    [
        ("cifar01", {}, r"'cifar01' is unknown: did you mean cifar10\? The data sets are digits, text, cifar10"),
        ("wikipedia", {}, r"'wikipedia' is unknown: The data sets are .* and hf:<name>"),
        ("digits", {"split": "validation"}, "split 'validation' is unknown: one of train, test"),
        ("cifar10", {"root": "/no/such/folder"}, "data_root /no/such/folder is not a folder"),
        ("digits", {"image_size": 0}, "image_size is 0"),
        ("digits", {"columns": {"text": "a"}}, "columns is for hf: data sets only, not for digits"),
        ("text", {"augment": True}, "augment is for images, data set text is for language-modelling"),
    ],
)
def test_what_cannot_be_loaded_is_refused_in_one_line(name, options, sentence):
    with pytest.raises(LabsError, match=sentence):
        load_dataset(name, **options)


def numbered(side: int = 6) -> ImageTensors:
    """One image whose pixels all differ."""
    images = torch.arange(1.0, side * side + 1).view(1, 1, side, side)
    return ImageTensors(images, torch.tensor([4]), full_scale=1.0, mean=torch.zeros(1), std=torch.ones(1))


@settings(max_examples=60, deadline=None)
@given(seed=st.integers(0, 2**31), padding=st.integers(1, 3), mirror=st.booleans())
def test_an_augmented_image_is_the_image_shifted_and_perhaps_mirrored(seed, padding, mirror):
    torch.manual_seed(seed)
    original = numbered()[0][0]
    image, label = Augmented(numbered(), padding=padding, mirror=mirror)[0]
    padded = torch.nn.functional.pad(original, (padding,) * 4)
    shifted = [padded[..., y : y + 6, x : x + 6] for y in range(2 * padding + 1) for x in range(2 * padding + 1)]
    allowed = shifted + ([view.flip(-1) for view in shifted] if mirror else [])
    assert any(torch.equal(image, view) for view in allowed)
    assert label.item() == 4


def test_augmentation_follows_the_global_random_numbers():
    samples, _ = load_dataset("digits", image_size=32, augment=True)
    torch.manual_seed(0)
    state = torch.get_rng_state()
    first = [samples[0][0] for _ in range(8)]
    torch.set_rng_state(state)
    assert all(torch.equal(samples[0][0], image) for image in first)
    assert len({tuple(image.flatten().tolist()) for image in first}) > 1


def test_the_test_split_is_never_augmented_and_digits_never_mirrored():
    plain, _ = load_dataset("digits", "test")
    asked, _ = load_dataset("digits", "test", augment=True)
    assert torch.equal(asked[0][0], plain[0][0])
    train, _ = load_dataset("digits", augment=True)
    assert not train.mirror
    assert train.padding == 1
