"""Text as bytes, cut into windows: the help topics of Python itself, bundled with the standard library.

One token is one byte, so any text works, no tokenizer is needed and the vocabulary has 256 entries.

Limitations: no subword tokenizers, and no masks between the documents in one window.
"""

from __future__ import annotations

import sys

import torch

from labsupport.errors import FieldError
from labsupport.training.data.info import DatasetInfo, Task
from labsupport.training.data.samples import Sample, Samples

BYTE_VOCABULARY = 256
TEST_SHARE = 0.05
SEPARATOR = "\n\n"


class ByteWindows(Samples):
    """Consecutive windows of `sequence` tokens, and for each token the one that follows it."""

    def __init__(self, tokens: torch.Tensor, sequence: int) -> None:
        self.tokens, self.sequence = tokens, sequence  # tokens: (N,) uint8

    def __len__(self) -> int:
        return window_count(len(self.tokens), self.sequence)

    def __getitem__(self, index: int) -> Sample:
        if not 0 <= index < len(self):
            raise IndexError(f"window {index} of {len(self)}")
        first = index * self.sequence
        window = self.tokens[first : first + self.sequence + 1].long()
        return window[:-1], window[1:]


def window_count(tokens: int, sequence: int) -> int:
    """Return how many windows with a successor for every token fit into a text."""
    return max(0, tokens - 1) // sequence


def check_windows(name: str, split: str, tokens: int, sequence: int) -> None:
    """Refuse windows that are empty or longer than the text.

    Raises:
        FieldError: names the field and the largest value that fits.
    """
    if sequence < 1 or window_count(tokens, sequence) < 1:
        raise FieldError(
            lambda field: (
                f"{field('sequence')} is {sequence}: the {split} split of data set {name} has {tokens} bytes, "
                f"so 1 to {max(1, tokens - 1)} fit"
            )
        )


def load_text(split: str, sequence: int) -> tuple[ByteWindows, DatasetInfo]:
    """Return windows of the first 95 % of Python's help topics for training, or of the rest for testing."""
    from pydoc_data import topics

    text = SEPARATOR.join(topics.topics[topic] for topic in sorted(topics.topics)).encode()
    cut = int(len(text) * (1 - TEST_SHARE))
    part = text[:cut] if split == "train" else text[cut:]
    check_windows("text", split, len(part), sequence)
    windows = ByteWindows(torch.frombuffer(bytearray(part), dtype=torch.uint8), sequence)
    return windows, DatasetInfo(
        name="text",
        task=Task.LANGUAGE_MODELLING,
        num_samples=len(windows),
        # The topics change with Python, so the version is part of what the data are.
        source="pydoc_data.topics of CPython " + ".".join(map(str, sys.version_info[:3])),
        licence="PSF-2.0",
        vocabulary=BYTE_VOCABULARY,
    )
