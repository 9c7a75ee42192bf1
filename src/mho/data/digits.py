"""The built-in data set: 1,797 handwritten digits of 8x8 pixels, which need neither network nor disk."""

from __future__ import annotations

import hashlib
from importlib import resources

import numpy as np

from mho.data.dataset import Dataset
from mho.errors import DataError

# Of the unpacked arrays, so that it does not depend on the compression: images then labels.
MD5 = "7696c07daa6d85010f8268703ab8b067"
TEST_EVERY, TEST_FROM = 5, 2


def load_digits() -> Dataset:
    """Return the 8x8 digits: 1,438 training and 359 test images, pixels 0..16 as floats in [0, 1].

    The data are the test part of "Optical Recognition of Handwritten Digits" (E. Alpaydin and C. Kaynak, UCI
    Machine Learning Repository 1998, CC BY 4.0), as scikit-learn ships them. The split is fixed: of each
    class, in file order, the images 2, 7, 12, ... are for testing. Writers occur in both splits, so the
    accuracies are higher than on digits of people never seen.
    """
    with resources.files("mho.data").joinpath("digits.npz").open("rb") as stream, np.load(stream) as stored:
        images, labels = stored["images"], stored["labels"]
    found = hashlib.md5(images.tobytes() + labels.tobytes(), usedforsecurity=False).hexdigest()
    if found != MD5:
        raise DataError(
            f"the built-in digits have md5 {found}, expected {MD5}; so the installation is damaged. Reinstall mho."
        )
    rank = np.empty(len(labels), dtype=np.int64)
    for label in range(10):
        members = np.flatnonzero(labels == label)
        rank[members] = np.arange(len(members))
    test = rank % TEST_EVERY == TEST_FROM
    return Dataset(
        name="digits",
        classes=tuple("0123456789"),
        train_images=images[~test][:, None],
        train_labels=labels[~test].astype(np.int64),
        test_images=images[test][:, None],
        test_labels=labels[test].astype(np.int64),
        scale=16,
        source="the 8x8 digits built into mho (UCI Optical Recognition of Handwritten Digits, CC BY 4.0)",
        checksums={"digits.npz": MD5},
    )
