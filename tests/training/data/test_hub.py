"""Data sets of the Hugging Face library, from folders that the test makes: nothing is fetched."""

from __future__ import annotations

import json
import os
import pickle
import subprocess
import sys
from pathlib import Path

import datasets
import pytest
import torch
from PIL import Image

from labsupport.errors import LabsError
from labsupport.training.data import load_dataset


@pytest.fixture(autouse=True)
def quiet():
    torch.set_num_threads(1)
    datasets.disable_progress_bars()
    yield
    datasets.enable_progress_bars()


def picture(value: int, mode: str = "RGB", side: int = 28) -> Image.Image:
    return Image.new(mode, (side, side), value if mode == "L" else (value, 0, 0))


def image_rows(count: int, label: object = None, mode: str = "RGB") -> datasets.Dataset:
    """Rows sorted by class, as folders usually are; the label's values are "cat" and "dog" or of the given feature."""
    kinds = [index * 2 // count for index in range(count)]
    words = ["cat", "dog"]
    return datasets.Dataset.from_dict(
        {
            "image": [picture(index, mode) for index in range(count)],
            "label": [words[k] if label is None else k for k in kinds],
        },
        features=datasets.Features({"image": datasets.Image(), "label": label or datasets.Value("string")}),
    )


def saved(folder: Path, **splits: datasets.Dataset) -> str:
    datasets.DatasetDict(splits).save_to_disk(str(folder))
    return f"hf:{folder}"


def text_of(samples, sequence: int) -> bytes:
    """Put the windows of a text together again."""
    return b"".join(bytes(samples[index][0].tolist()) for index in range(len(samples)))


def test_json_files_of_a_folder_are_read_as_text(tmp_path):
    lines = ["first line", "a second, longer line with ünïcode", ""]
    (tmp_path / "train.jsonl").write_text("".join(json.dumps({"text": line}) + "\n" for line in lines))
    (tmp_path / "test.jsonl").write_text(json.dumps({"text": "held out"}) + "\n")
    samples, info = load_dataset("hf:json", root=tmp_path, sequence=4)
    expected = "".join(line + "\n\n" for line in lines).encode()
    assert info.vocabulary == 256
    assert info.task == "language-modelling"
    assert len(samples) == info.num_samples == (len(expected) - 1) // 4
    assert text_of(samples, 4) == expected[: 4 * len(samples)]
    for index in range(len(samples)):
        assert bytes(samples[index][1].tolist()) == expected[4 * index + 1 : 4 * index + 5]
    held_out, _ = load_dataset("hf:json", "test", root=tmp_path, sequence=4)
    assert text_of(held_out, 4) == b"held out"


def test_a_text_without_a_test_split_gives_up_its_last_twentieth(tmp_path):
    rows = datasets.Dataset.from_dict({"text": [f"row {index:03}" for index in range(40)]})
    name = saved(tmp_path / "rows", train=rows)
    train, _ = load_dataset(name, sequence=3)
    test, _ = load_dataset(name, "test", sequence=3)
    assert text_of(train, 3).startswith(b"row 000\n\nrow 001")
    assert b"row 036" in text_of(train, 3)
    assert b"row 038" not in text_of(train, 3)
    assert text_of(test, 3).startswith(b"row 038\n\nrow 03")


def test_labels_that_are_words_are_numbered_in_alphabetical_order(tmp_path):
    name = saved(tmp_path / "rows", train=image_rows(4), test=image_rows(2))
    samples, info = load_dataset(name)
    image, label = samples[3]
    assert (image.shape, image.dtype, label.dtype) == ((3, 28, 28), torch.float32, torch.int64)
    assert [samples[index][1].item() for index in range(4)] == [0, 0, 1, 1]
    assert (info.num_classes, info.channels, info.image_size, info.num_samples) == (2, 3, 28, 4)


def test_labels_with_names_keep_the_numbers_of_the_data_set(tmp_path):
    kinds = datasets.ClassLabel(names=["zebra", "ant", "unused"])
    samples, info = load_dataset(saved(tmp_path / "rows", train=image_rows(4, kinds), test=image_rows(2, kinds)))
    assert info.num_classes == 3
    assert [samples[index][1].item() for index in range(4)] == [0, 0, 1, 1]


def test_grey_images_have_one_channel_and_any_size_can_be_asked_for(tmp_path):
    name = saved(tmp_path / "rows", train=image_rows(4, mode="L"), test=image_rows(2, mode="L"))
    samples, info = load_dataset(name, image_size=16)
    assert samples[0][0].shape == (1, 16, 16)
    assert (info.channels, info.image_size) == (1, 16)


def test_images_without_a_test_split_give_up_a_tenth_of_every_part_and_write_nothing(tmp_path):
    folder = tmp_path / "rows"
    name = saved(folder, train=image_rows(60))
    before = sorted(path.relative_to(folder) for path in folder.rglob("*"))
    train, _ = load_dataset(name)
    test, info = load_dataset(name, "test")
    again, _ = load_dataset(name, "test")
    assert (len(train), len(test)) == (54, 6)
    reds = [{samples[index][0][0, 0, 0].item() for index in range(len(samples))} for samples in (train, test)]
    assert not reds[0] & reds[1]
    assert {test[index][1].item() for index in range(6)} == {0, 1}  # sorted by class, yet both are in
    assert all(torch.equal(test[index][0], again[index][0]) for index in range(6))
    assert info.num_classes == 2
    assert sorted(path.relative_to(folder) for path in folder.rglob("*")) == before


def test_a_folder_of_images_is_read_with_its_folder_names_as_classes(tmp_path):
    for split in ("train", "test"):
        for kind in ("ant", "bee"):
            folder = tmp_path / split / kind
            folder.mkdir(parents=True)
            picture(200).save(folder / "one.png")
    samples, info = load_dataset("hf:imagefolder", root=tmp_path)
    assert (len(samples), info.num_classes) == (2, 2)
    assert sorted(samples[index][1].item() for index in range(2)) == [0, 1]


def test_columns_can_be_named_where_their_names_say_nothing(tmp_path):
    rows = datasets.Dataset.from_dict({"question": ["why"] * 30, "answer": ["because"] * 30})
    name = saved(tmp_path / "rows", train=rows)
    with pytest.raises(LabsError, match=r"has the columns question, answer: say which.*columns=\{'text': ...\}$"):
        load_dataset(name, sequence=4)
    samples, _ = load_dataset(name, sequence=4, columns={"text": "answer"})
    assert text_of(samples, 4).startswith(b"because\n\nbecause")
    with pytest.raises(LabsError, match="has no column 'reply': its columns are question, answer"):
        load_dataset(name, sequence=4, columns={"text": "reply"})
    with pytest.raises(LabsError, match=r"column 'answer' of data set .* holds no images"):
        load_dataset(name, columns={"image": "answer", "label": "question"})
    with pytest.raises(LabsError, match="either image and label, or text"):
        load_dataset(name, columns={"image": "answer"})


def test_two_label_columns_are_told_apart_by_their_names(tmp_path):
    rows = image_rows(4, datasets.ClassLabel(names=["a", "b"]))
    fine = rows.rename_column("label", "fine_label").add_column("coarse_label", [0] * 4)
    fine = fine.cast_column("coarse_label", datasets.ClassLabel(names=["all"]))
    samples, info = load_dataset(saved(tmp_path / "rows", train=fine, test=fine))
    assert info.num_classes == 2
    assert samples[3][1].item() == 1


def test_a_label_that_train_does_not_know_is_named_when_it_is_met(tmp_path):
    odd = image_rows(2).map(lambda _row: {"label": "emu"}, keep_in_memory=True)
    samples, _ = load_dataset(saved(tmp_path / "rows", train=image_rows(4), test=odd), "test")
    with pytest.raises(LabsError, match="row 0 of the data set has label 'emu'"):
        samples[0]


def test_numbers_that_are_no_classes_are_refused(tmp_path):
    rows = image_rows(4).remove_columns("label").add_column("label", [0.1, 0.2, 0.3, 0.4])
    with pytest.raises(LabsError, match="labels are whole numbers or words"):
        load_dataset(saved(tmp_path / "rows", train=rows, test=rows))


@pytest.mark.parametrize("content", [{"bytes": b"no image", "path": None}, None])
def test_an_image_that_cannot_be_decoded_is_named_by_its_row(tmp_path, content):
    rows = datasets.Dataset.from_dict(
        {"image": [content] * 2, "label": ["a", "b"]},
        features=datasets.Features({"image": datasets.Image(), "label": datasets.Value("string")}),
    )
    with pytest.raises(LabsError, match=r"row 0 of data set .* has an image that cannot be decoded"):
        load_dataset(saved(tmp_path / "rows", train=rows, test=rows))
    samples, _ = load_dataset(saved(tmp_path / "later", train=image_rows(4), test=rows), "test")
    with pytest.raises(LabsError, match="row 1 of the data set has an image that cannot be decoded"):
        samples[1]


def test_samples_survive_pickling(tmp_path):
    samples, _ = load_dataset(saved(tmp_path / "rows", train=image_rows(4), test=image_rows(2)))
    copy = pickle.loads(pickle.dumps(samples))
    assert torch.equal(copy[1][0], samples[1][0])


@pytest.mark.parametrize(
    ("name", "sentence"),
    [
        ("hf:json", "reads json files: name their folder with data_root"),
        ("hf:/no/such/folder", "is no folder and no format: use hf:<owner>/<name>"),
        ("hf:pandas", "is no folder and no format"),  # a format made of pickles, which the library would open
        ("hf:", "is no folder and no format"),
        ("hf:mnist", "is no folder and no format"),
    ],
)
def test_a_name_that_means_nothing_is_refused_with_what_would(name, sentence):
    with pytest.raises(LabsError, match=sentence):
        load_dataset(name)


def test_a_folder_without_data_is_refused_in_one_line(tmp_path):
    (tmp_path / "empty").mkdir()
    with pytest.raises(LabsError, match="cannot be loaded: ") as raised:
        load_dataset(f"hf:{tmp_path / 'empty'}")
    assert "\n" not in str(raised.value)


def test_one_row_is_too_few_to_set_one_aside(tmp_path):
    rows = datasets.Dataset.from_dict({"text": ["a single row of text"]})
    with pytest.raises(LabsError, match="has one row and no test split"):
        load_dataset(saved(tmp_path / "rows", train=rows), sequence=4)


@pytest.mark.slow
def test_without_a_connection_one_line_says_what_to_do(tmp_path):
    # In a process of its own: the library reads its environment when it is imported.
    code = (
        "from labsupport.errors import LabsError\n"
        "from labsupport.training.data import load_dataset\n"
        "try:\n    load_dataset('hf:some-owner/some-name:some-configuration')\n"
        "except LabsError as error:\n    print(error)\n"
    )
    environment = os.environ | {"HF_HUB_OFFLINE": "1", "HF_HOME": str(tmp_path / "hf"), "LABS_WORKSPACE": str(tmp_path)}
    done = subprocess.run([sys.executable, "-c", code], env=environment, capture_output=True, text=True, check=True)
    assert done.stdout.count("\n") == 1
    assert "hf:some-owner/some-name:some-configuration cannot be reached" in done.stdout
    assert "save_to_disk" in done.stdout


@pytest.mark.parametrize(
    ("name", "content", "sentence"),
    [
        ("json", b"", r"rows\.json is empty: delete it or put data into it"),
        ("json", b"\n \n", r"rows\.json is empty"),
        ("json", b"null", r"rows\.json holds no JSON objects: write one object per line, or a list"),
        ("json", b"[]", "its files hold no rows"),
        ("json", b'{"text": "a"', "JSON parse error"),
        ("csv", b"", r"rows\.csv is empty"),
        ("csv", b"text\n", "its files hold no rows"),
        ("parquet", b"", r"rows\.parquet is empty"),
        ("parquet", b"PAR1", "cannot be loaded from"),
    ],
)
def test_a_file_without_rows_or_of_another_shape_is_refused_in_one_line(tmp_path, name, content, sentence):
    (tmp_path / f"rows.{name}").write_bytes(content)
    with pytest.raises(LabsError, match=sentence) as refused:
        load_dataset(f"hf:{name}", root=tmp_path)
    assert "\n" not in str(refused.value)


def test_a_hidden_file_beside_the_data_does_not_count(tmp_path):
    (tmp_path / "rows.json").write_text('{"text": "abcdefgh"}\n' * 40)
    (tmp_path / ".rows.json").write_text("")
    samples, _ = load_dataset("hf:json", root=tmp_path, sequence=8)
    assert len(samples) > 0
