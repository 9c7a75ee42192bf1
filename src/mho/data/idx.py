"""Reading IDX files, the format of MNIST: a magic number, big-endian 32-bit sizes, then bytes."""

from __future__ import annotations

import gzip
import io
import zlib
from typing import TYPE_CHECKING

import numpy as np

from mho.errors import DataError

if TYPE_CHECKING:
    from numpy.typing import NDArray

GZIP_MAGIC = b"\x1f\x8b"
UINT8 = 0x08
# A file that unpacks to more is not one of ours; the limit keeps a hostile archive from filling the memory.
MOST_BYTES = 1 << 30


def unpack(raw: bytes, where: str) -> bytes:
    """Return the bytes of a file, unpacked when they are gzip; a truncated one is a DataError naming it."""
    if not raw.startswith(GZIP_MAGIC):
        return raw
    try:
        with gzip.GzipFile(fileobj=io.BytesIO(raw)) as stream:
            data = stream.read(MOST_BYTES + 1)
    except (EOFError, OSError, zlib.error) as error:
        raise DataError(
            f"{where}: reading it as gzip failed after {len(raw)} packed bytes ({error}); the file is "
            "truncated or corrupt. Fetch it again."
        ) from error
    if len(data) > MOST_BYTES:
        raise DataError(
            f"{where}: unpacks to more than {MOST_BYTES} bytes, which no IDX file here has. Check the file."
        )
    return data


def parse_idx(data: bytes, where: str, *, dimensions: int) -> NDArray[np.uint8]:
    """Return the array in the IDX bytes `data` (3 dimensions: images, 1: labels) of the file `where`.

    Layout: byte 0-1 zero, byte 2 the type (8 = unsigned byte), byte 3 the number of dimensions, then one
    big-endian uint32 per dimension, then the values, last dimension fastest.

    Raises
    ------
    DataError : wrong magic number, type or number of dimensions, or a length that does not fit the header.
    """
    header = 4 + 4 * dimensions
    expected_magic = bytes((0, 0, UINT8, dimensions))
    if len(data) < header:
        raise DataError(
            f"{where}: an IDX file of {dimensions} dimensions needs a header of {header} bytes, found "
            f"{len(data)} bytes in all; the file is truncated. Fetch it again."
        )
    if data[:4] != expected_magic:
        raise DataError(
            f"{where}: at offset 0 expected the IDX magic number {expected_magic.hex()} (unsigned bytes, "
            f"{dimensions} dimensions), found {data[:4].hex()}; this is another kind of file. Check its name "
            "or fetch it again."
        )
    sizes = [int(size) for size in np.frombuffer(data, dtype=">u4", count=dimensions, offset=4)]
    # Python integers: a hostile header may ask for more than 64 bits.
    count = 1
    for size in sizes:
        count *= size
    found = len(data) - header
    if found != count:
        what = "truncated" if found < count else "longer than its header says"
        raise DataError(
            f"{where}: from offset {header} expected {count} bytes ({' x '.join(map(str, sizes))}), found "
            f"{found}; the file is {what}. Fetch it again."
        )
    return np.frombuffer(data, dtype=np.uint8, offset=header).reshape(sizes).copy()
