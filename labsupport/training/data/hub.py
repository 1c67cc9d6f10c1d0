"""Any data set that Hugging Face's `datasets` library loads: from its hub, a folder, or plain files.

Which columns hold image and label, or text, is read from the data set's own schema where that is clear. No code of a
data set is run: the library no longer runs loading scripts, and file formats made of pickles are not offered here.

Limitations: no streaming, one text column, no tokenizers (text is read as bytes, labsupport.training.data.text).
"""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np
import torch

from labsupport.errors import FieldError, LabsError
from labsupport.training.data.info import DatasetInfo, Task
from labsupport.training.data.pictures import DECODING_ERRORS, DEFAULT_SIZE, to_tensor
from labsupport.training.data.samples import Sample, Samples
from labsupport.training.data.text import BYTE_VOCABULARY, SEPARATOR, TEST_SHARE, check_windows, window_count
from labsupport.workspace import workspace

if TYPE_CHECKING:
    import datasets

FOLDER_MARKS = ("/", ".", "~")  # a name that starts so is a folder, whatever the current one holds
FORMATS = ("csv", "imagefolder", "json", "parquet", "text")
SUFFIXES = {
    "csv": (".csv", ".tsv"),
    "json": (".json", ".jsonl", ".ndjson"),
    "parquet": (".parquet",),
    "text": (".txt",),
}
HEAD_BYTES = 65_536
HELD_OUT = ("test", "validation", "valid", "val", "dev")  # the first of these that a data set has is our test split
IMAGE_TEST_SHARE = 0.1  # where a data set has no such split
NATIVE_UP_TO = 64  # pixels: smaller square images keep their size, others become 224
LABEL_NAMES = ("label", "labels", "fine_label", "target", "class")
TEXT_NAMES = ("text", "content", "document", "sentence")
ROLES = (("image", "label"), ("text",))
LENGTH_BATCH = 10_000  # rows whose lengths are taken at a time


class RowImages(Samples):
    """Image and class of each row, decoded when it is asked for."""

    def __init__(
        self, rows: datasets.Dataset, columns: Mapping[str, str], classes: Mapping[Any, int], size: int, channels: int
    ) -> None:
        self.image, self.label = columns["image"], columns["label"]
        self.rows = rows.select_columns([self.image, self.label])  # the others need not be decoded
        self.classes, self.size, self.channels = classes, size, channels

    def __len__(self) -> int:
        return len(self.rows)

    def __getitem__(self, index: int) -> Sample:
        try:
            row = self.rows[index]
            if row[self.image] is None:
                raise ValueError("it is empty")
            pixels = to_tensor(row[self.image], self.size, self.channels)
        except DECODING_ERRORS as error:
            raise LabsError(f"row {index} of the data set has an image that cannot be decoded ({error})") from error
        if row[self.label] not in self.classes:
            raise LabsError(f"row {index} of the data set has label {row[self.label]!r}, which the train split has not")
        return pixels, torch.tensor(self.classes[row[self.label]])


class RowText(Samples):
    """Windows over the bytes of all rows one after the other, read row by row: the text may be larger than memory."""

    def __init__(self, rows: datasets.Dataset, column: str, sequence: int) -> None:
        self.rows, self.column, self.sequence = rows.select_columns(column), column, sequence
        self.ends = np.cumsum(_byte_lengths(rows, column) + len(SEPARATOR))  # position after each row

    def __len__(self) -> int:
        return window_count(self.tokens, self.sequence)

    @property
    def tokens(self) -> int:
        """Bytes of the whole text, with a separator after each row."""
        return int(self.ends[-1]) if len(self.ends) else 0

    def __getitem__(self, index: int) -> Sample:
        if not 0 <= index < len(self):
            raise IndexError(f"window {index} of {len(self)}")
        first = index * self.sequence
        row = int(np.searchsorted(self.ends, first, side="right"))
        offset = first - (int(self.ends[row - 1]) if row else 0)
        content = b""
        while len(content) < offset + self.sequence + 1:
            content += ((self.rows[row][self.column] or "") + SEPARATOR).encode()
            row += 1
        window = torch.tensor(list(content[offset : offset + self.sequence + 1]))
        return window[:-1], window[1:]


def load_hub(
    name: str,
    split: str,
    root: Path | None,
    image_size: int | None,
    sequence: int,
    columns: Mapping[str, str] | None,
) -> tuple[Samples, DatasetInfo]:
    """Return one split of a data set as images with classes, or as text.

    Raises:
        LabsError: it cannot be found, reached or read, or its columns do not say what they are.
    """
    import datasets

    train, test = _two_splits(name, _fetch(name, root))
    chosen = _choose_columns(name, train.features, columns)
    facts: dict[str, Any] = {
        "name": f"hf:{name}",
        "source": f"{name}, through Hugging Face datasets {datasets.__version__}",
        "licence": train.info.license or "see the data set's card",
    }
    if "text" in chosen:
        text = RowText(_part(name, split, train, test, shuffled=False), chosen["text"], sequence)
        check_windows(f"hf:{name}", split, text.tokens, sequence)
        facts |= {"task": Task.LANGUAGE_MODELLING, "vocabulary": BYTE_VOCABULARY}
        return text, DatasetInfo(num_samples=len(text), **facts)
    # From the whole train split, so that both parts number the classes alike.
    classes = _classes(name, train, chosen["label"])
    native_size, channels = _shape(name, train, chosen["image"])
    size = image_size or native_size
    images = RowImages(_part(name, split, train, test, shuffled=True), chosen, classes, size, channels)
    facts |= {"task": Task.CLASSIFICATION, "num_classes": len(classes), "channels": channels, "image_size": size}
    return images, DatasetInfo(num_samples=len(images), **facts)


def guess_columns(features: Mapping[str, Any]) -> dict[str, str] | None:
    """Return which columns are "image" and "label", or "text", by type and then by name; None if unclear."""
    import datasets

    images = [name for name, feature in features.items() if isinstance(feature, datasets.Image)]
    labels = [name for name, feature in features.items() if isinstance(feature, datasets.ClassLabel)]
    strings = [
        name for name, feature in features.items() if getattr(feature, "dtype", None) in ("string", "large_string")
    ]
    if images:
        label = _only(labels) or next((name for name in LABEL_NAMES if name in features), None)
        image = _only(images) or ("image" if "image" in images else None)
        return {"image": image, "label": label} if image and label else None
    text = next((name for name in TEXT_NAMES if name in strings), None) or _only(strings)
    return {"text": text} if text else None


def _only(names: list[str]) -> str | None:
    return names[0] if len(names) == 1 else None


def _choose_columns(name: str, features: Mapping[str, Any], columns: Mapping[str, str] | None) -> dict[str, str]:
    import datasets

    there = ", ".join(features)
    if columns is None:
        guess = guess_columns(features)
        if guess is None:
            raise LabsError(
                f"data set hf:{name} has the columns {there}: say which is which with "
                "columns={'image': ..., 'label': ...} or columns={'text': ...}"
            )
        return guess
    if tuple(sorted(columns)) not in ROLES:
        raise LabsError(f"columns name {', '.join(columns) or 'nothing'}: either image and label, or text")
    for column in columns.values():
        if column not in features:
            raise LabsError(f"data set hf:{name} has no column {column!r}: its columns are {there}")
    if "image" in columns and not isinstance(features[columns["image"]], datasets.Image):
        raise LabsError(f"column {columns['image']!r} of data set hf:{name} holds no images")
    return dict(columns)


def _fetch(name: str, root: Path | None) -> Mapping[str, datasets.Dataset]:
    """Load all splits of a folder, a file format or a data set of the hub."""
    import datasets
    from datasets.exceptions import DatasetsError

    # Hidden, for the library looks for data in every folder below `root` that is not, and that may be the workspace.
    cache = str(root if root is not None and name not in FORMATS else workspace("data", ".huggingface"))
    folder = _expanded(name) if name.startswith(FOLDER_MARKS) else None
    repository, _, configuration = name.partition(":")
    if name in FORMATS and root is None:
        raise FieldError(
            lambda field: f"data set hf:{name} reads {name} files: name their folder with {field('data_root')}"
        )
    if name not in FORMATS and (not folder.is_dir() if folder else "/" not in repository):
        raise FieldError(
            lambda field: (
                f"data set hf:{name} is no folder and no format: use hf:<owner>/<name>, hf:/<folder>, hf:./<folder>, "
                f"or {', '.join(f'hf:{known}' for known in FORMATS)} with {field('data_root')}"
            )
        )
    if name in SUFFIXES:
        assert root is not None, "a format without a folder was refused above"
        _refuse_unreadable(name, root)
    try:
        if name in FORMATS:
            loaded = datasets.load_dataset(name, data_dir=str(root), cache_dir=cache)
        elif folder and any((folder / mark).is_file() for mark in ("dataset_dict.json", "dataset_info.json")):
            loaded = datasets.load_from_disk(str(folder))
        elif folder:
            loaded = datasets.load_dataset(str(folder), cache_dir=cache)
        else:
            loaded = datasets.load_dataset(repository, configuration or None, cache_dir=cache)
    except ConnectionError as error:
        raise LabsError(
            f"data set hf:{name} cannot be reached ({_first_line(error)}): download it where there is a connection, "
            "keep it with save_to_disk and name that folder as hf:/<folder>; digits and text are bundled"
        ) from error
    # What the library's readers raise on a file of another shape: they do not agree on one class. RuntimeError is also
    # a repository with a loading script, which is not run, and ValueError an unknown configuration.
    except (DatasetsError, OSError, RuntimeError, ValueError, TypeError, LookupError, AttributeError) as error:
        reason = _first_line(error.__cause__ or error)
        if "corresponds to no data" in reason:
            reason = "its files hold no rows"
        where = f" from {root}" if name in FORMATS else ""
        raise LabsError(f"data set hf:{name} cannot be loaded{where}: {reason}") from error
    return {"train": loaded} if isinstance(loaded, datasets.Dataset) else loaded


def _expanded(name: str) -> Path:
    try:
        return Path(name).expanduser()
    except RuntimeError as error:
        raise LabsError(f"data set hf:{name}: there is no such home folder; write the folder's whole path") from error


def _refuse_unreadable(name: str, root: Path) -> None:
    """Refuse, by its name, a file that the library's reader ends on with StopIteration or takes the process down."""
    for path in sorted(path for path in root.rglob("*") if path.is_file()):
        if path.name.startswith(".") or path.suffix.lower() not in SUFFIXES[name]:
            continue
        with path.open("rb") as file:
            head = file.read(HEAD_BYTES).strip(b" \t\r\n\xef\xbb\xbf")  # the last three mark UTF-8
        if not head:
            raise LabsError(f"data set hf:{name}: {path} is empty: delete it or put data into it")
        if name == "json" and head[:1] not in (b"{", b"["):
            raise LabsError(f"data set hf:{name}: {path} holds no JSON objects: write one object per line, or a list")


def _first_line(error: BaseException) -> str:
    return (str(error).splitlines() or [type(error).__name__])[0]


def _two_splits(name: str, parts: Mapping[str, datasets.Dataset]) -> tuple[datasets.Dataset, datasets.Dataset | None]:
    """Return what to train on, and what to test on if the data set has a split for it."""
    train = parts.get("train") or (next(iter(parts.values())) if len(parts) == 1 else None)
    if not train:
        raise LabsError(f"data set hf:{name} has the splits {', '.join(parts)}: a filled train split is needed")
    test = next((parts[split] for split in HELD_OUT if parts.get(split) and parts[split] is not train), None)
    return train, test


def _part(
    name: str, split: str, train: datasets.Dataset, test: datasets.Dataset | None, *, shuffled: bool
) -> datasets.Dataset:
    """Return the rows of one split; where there is no test split, a part of train is set aside for it.

    Of images it is a random part, for files are often sorted by class; of a text the end.
    """
    if test is not None:
        return train if split == "train" else test
    count = max(1, round(len(train) * (IMAGE_TEST_SHARE if shuffled else TEST_SHARE)))
    if count >= len(train):
        raise LabsError(f"data set hf:{name} has one row and no test split: at least 2 rows are needed")
    order: Any = range(len(train))
    if shuffled:
        order = torch.randperm(len(train), generator=torch.Generator().manual_seed(0)).tolist()
    chosen = order[:-count] if split == "train" else order[-count:]
    # In memory, for the library would write the chosen indices into the folder of the data.
    return train.select(chosen, keep_in_memory=True)


def _classes(name: str, rows: datasets.Dataset, column: str) -> dict[Any, int]:
    """Return the class number of each label value: the data set's own, or the rank among the values of train."""
    import datasets

    feature = rows.features[column]
    if isinstance(feature, datasets.ClassLabel):
        return {index: index for index in range(feature.num_classes)}
    if not getattr(feature, "dtype", "").startswith(("int", "uint", "string", "large_string", "bool")):
        raise LabsError(
            f"column {column!r} of data set hf:{name} is of type {feature}: labels are whole numbers or words"
        )
    values = sorted(value for value in rows.unique(column) if value is not None)
    return {value: index for index, value in enumerate(values)}


def _shape(name: str, rows: datasets.Dataset, column: str) -> tuple[int, int]:
    """Return the size and the number of channels that suit the images, as the first one tells."""
    try:
        picture = rows[0][column]
        if picture is None:
            raise ValueError("it is empty")
    except DECODING_ERRORS as error:
        raise LabsError(f"row 0 of data set hf:{name} has an image that cannot be decoded ({error})") from error
    width, height = picture.size
    size = width if width == height and width <= NATIVE_UP_TO else DEFAULT_SIZE
    return size, 1 if picture.mode in ("1", "L", "LA") or picture.mode.startswith("I") else 3


def _byte_lengths(rows: datasets.Dataset, column: str) -> np.ndarray:
    """Return the UTF-8 length of each row's text, without making strings of them."""
    import pyarrow.compute as pc

    batches = rows.select_columns(column).with_format("arrow").iter(LENGTH_BATCH)
    lengths = [pc.fill_null(pc.binary_length(batch[column]), 0).to_numpy() for batch in batches]
    return np.concatenate(lengths).astype(np.int64) if lengths else np.zeros(0, np.int64)
