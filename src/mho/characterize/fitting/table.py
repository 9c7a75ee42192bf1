"""Separated text as arrays: found by NumPy, so that two million rows take seconds and every fault has a line.

Rows are lines of fields between one separator; blank lines and lines that begin with # are passed over; a byte-order
mark, Windows line ends, gzip and quotes around fields are read as what they are.
"""

from __future__ import annotations

import csv
import gzip
import zlib
from dataclasses import dataclass
from pathlib import Path

import numpy as np

from mho.errors import DataError

SEPARATORS = {",": "a comma", ";": "a semicolon", "\t": "a tab", "|": "a bar"}
BLOCK = 1 << 18
"""Rows whose fields are gathered at once."""
LONGEST = 128
"""Characters that a field may have."""
PLACES = 18
"""Digits that a whole number in 64 bits surely has room for."""


@dataclass(frozen=True)
class Table:
    """A text of rows of fields: `names` of the columns, and for every row its line number in the file (from 1)."""

    path: str
    names: tuple[str, ...]
    lines: np.ndarray
    text: np.ndarray
    starts: np.ndarray
    ends: np.ndarray

    def __len__(self) -> int:
        return len(self.lines)

    def fields(self, name: str) -> np.ndarray:
        """Return a column as byte strings without the spaces around them."""
        column = self.names.index(name)
        starts, lengths = self.starts[:, column], self.ends[:, column] - self.starts[:, column]
        width = int(lengths.max(initial=1))
        if width > LONGEST:
            row = int(lengths.argmax())
            raise DataError(
                f"{self.at(row, name)}: the field has {width} characters, more than {LONGEST}; is this a table of "
                "pulses?"
            )
        width = max(width, 1)
        out = np.zeros((len(self), width), np.uint8)
        for first in range(0, len(self), BLOCK):
            rows = slice(first, first + BLOCK)
            places = starts[rows, None] + np.arange(width)
            inside = np.arange(width) < lengths[rows, None]
            np.copyto(out[rows], self.text[np.minimum(places, len(self.text) - 1)], where=inside)
        found = out.view(f"S{width}")[:, 0]
        spaced = (out == ord(" ")).any() if width else False
        return np.char.strip(found) if spaced else found

    def numbers(self, name: str) -> np.ndarray:
        """Return a column as float64; an empty field is NaN. Raises DataError naming line and column."""
        fields = self.fields(name)
        empty = fields == b""
        filled = np.where(empty, b"nan", fields) if empty.any() else fields
        try:
            return filled.astype(np.float64)
        except ValueError:
            row = next(i for i, field in enumerate(filled) if not _is_number(field))
        raise DataError(f"{self.at(row, name)}: {_shown(fields[row])} is no number{_why(fields[row])}")

    def whole_numbers(self, name: str) -> np.ndarray:
        """Return a column as int64. Raises DataError naming line and column."""
        fields = self.fields(name)
        quick = _digits(fields)
        if quick is not None:
            return quick
        values = self.numbers(name)
        wrong = ~np.isfinite(values) | (values != np.floor(values)) | (np.abs(values) > 2**53)
        if wrong.any():
            row = int(wrong.argmax())
            what = "is empty" if fields[row] == b"" else f"{_shown(fields[row])} is no whole number"
            raise DataError(f"{self.at(row, name)}: {what}")
        return values.astype(np.int64)

    def at(self, row: int, name: str) -> str:
        """Return where a field stands, for messages."""
        return f"{self.path}, line {self.lines[row]}, column {name}"


def _digits(fields: np.ndarray) -> np.ndarray | None:
    """Return whole numbers of plain digits with a sign, or None where anything else stands among them."""
    width = fields.dtype.itemsize
    if width > PLACES or not len(fields):
        return None
    codes = fields.view(np.uint8).reshape(len(fields), width)
    value, filled = np.zeros(len(fields), np.int64), np.zeros(len(fields), bool)
    signed = (codes[:, 0] == ord("-")) | (codes[:, 0] == ord("+"))
    for k in range(width):
        code = codes[:, k]
        digit = (code >= ord("0")) & (code <= ord("9"))
        if not (digit | (code == 0) | (signed if k == 0 else False)).all():
            return None
        value = np.where(digit, 10 * value + (code.astype(np.int64) - ord("0")), value)
        filled |= digit
    return np.where(codes[:, 0] == ord("-"), -value, value) if filled.all() else None


def _is_number(field: bytes) -> bool:
    try:
        np.array([field]).astype(np.float64)
    except ValueError:
        return False
    return True


def _shown(field: bytes) -> str:
    return repr(field.decode("utf-8", "replace"))


def _why(field: bytes) -> str:
    if b"," in field:
        return "; decimals are written with a point, as 1.5e-6"
    other = next((words for mark, words in SEPARATORS.items() if mark.encode() in field), "")
    return f"; it holds {other}: fields are separated by one and the same character" if other else ""


def read_table(path: Path) -> Table:
    """Return the table in a text file, which may be gzip. Raises DataError naming the line that cannot be read."""
    return parse_table(_bytes(path), str(path))


def _bytes(path: Path) -> bytes:
    try:
        data = path.read_bytes()
        if data[:2] == b"\x1f\x8b":
            data = gzip.decompress(data)
    except (OSError, EOFError, zlib.error) as error:
        reason = getattr(error, "strerror", None) or error
        raise DataError(f"the measurements {path} cannot be read: {reason}; give a CSV file, plain or gzip") from error
    if data[:2] in (b"\xff\xfe", b"\xfe\xff"):
        try:
            data = data.decode("utf-16").encode()
        except UnicodeError as error:
            raise DataError(f"{path} is neither UTF-8 nor UTF-16 text ({error}); save it as CSV in UTF-8") from error
    if data[:4] in (b"PK\x03\x04", b"\xd0\xcf\x11\xe0"):
        raise DataError(f"{path} is a spreadsheet or an archive, not text; save the sheet as CSV and give that file")
    return data


def parse_table(data: bytes, path: str = "the measurements") -> Table:
    """Return the table in the bytes of a text; `path` is for messages."""
    data = data.removeprefix(b"\xef\xbb\xbf")
    if b"\r" in data:
        data = data.replace(b"\r\n", b"\n").replace(b"\r", b"\n")
    if not data.endswith(b"\n"):
        data += b"\n"
    text = np.frombuffer(data, np.uint8)
    if (text == 0).any():
        raise DataError(f"{path} holds zero bytes, so it is not a text; give a CSV file")
    if b'"' in data:
        data, text = _unquoted(data, path)
    ends = np.flatnonzero(text == ord("\n"))
    starts = np.concatenate([[0], ends[:-1] + 1])
    first = _first_characters(text, starts, ends)
    kept = (first != ord("\n")) & (first != ord("#"))
    if not kept.any():
        raise DataError(f"{path} holds no lines; its first must name the columns: device,cycle,pulse,direction,...")
    lines = np.flatnonzero(kept) + 1
    starts, ends = starts[kept], ends[kept]
    header = data[starts[0] : ends[0]].decode("utf-8", "replace")
    mark = max(SEPARATORS, key=header.count)
    names = tuple(name.strip().strip('"') for name in header.split(mark))
    return _split(Table(path, names, lines[1:], text, starts[1:], ends[1:]), mark)


def _first_characters(text: np.ndarray, starts: np.ndarray, ends: np.ndarray) -> np.ndarray:
    """Return the first character of every line that is no space; the line's end for a line of spaces."""
    places = starts.copy()
    while True:
        blank = ((text[places] == ord(" ")) | (text[places] == ord("\t"))) & (places < ends)
        if not blank.any():
            return text[places]
        places = places + blank


def _unquoted(data: bytes, path: str) -> tuple[bytes, np.ndarray]:
    """Return the text without quotes around fields; what a quoted field holds must not separate fields or lines."""
    lines = data.decode("utf-8", "replace").split("\n")
    head = next((line for line in lines if line.strip() and not line.lstrip().startswith("#")), "")
    mark = max(SEPARATORS, key=head.count)
    for n, line in enumerate(lines):
        if '"' not in line or line.lstrip().startswith("#"):
            continue
        try:
            (fields,) = csv.reader([line], delimiter=mark, strict=True, skipinitialspace=True)
        except (csv.Error, ValueError) as error:
            raise DataError(f"{path}, line {n + 1}: its quotes do not pair up; write fields without quotes") from error
        if any(mark in field or "\n" in field for field in fields):
            raise DataError(
                f"{path}, line {n + 1}: a quoted field holds {SEPARATORS[mark]}; name devices without separators"
            )
        lines[n] = mark.join(fields)
    data = "\n".join(lines).encode()
    return data, np.frombuffer(data, np.uint8)


def _split(table: Table, mark: str) -> Table:
    """Return the table with the bounds of every field; `starts` and `ends` are those of the lines before."""
    columns = len(table.names)
    text, starts, ends = table.text, table.starts, table.ends
    if not len(table):
        raise DataError(f"{table.path} names columns but has no rows; give one row per pulse")
    marks = np.flatnonzero(text == ord(mark))
    before = np.searchsorted(marks, starts)
    counts = np.searchsorted(marks, ends) - before
    wrong = counts != columns - 1
    if wrong.any():
        row = int(wrong.argmax())
        raise DataError(_wrong_count(table, row, int(counts[row]) + 1, mark))
    inner = marks[before[:, None] + np.arange(columns - 1)]
    return Table(
        table.path, table.names, table.lines, text,
        np.column_stack([starts, inner + 1]), np.column_stack([inner, ends]),
    )  # fmt: skip


def _wrong_count(table: Table, row: int, found: int, mark: str) -> str:
    line = bytes(table.text[table.starts[row] : table.ends[row]]).decode("utf-8", "replace")
    where = f"{table.path}, line {table.lines[row]}"
    other = next((words for m, words in SEPARATORS.items() if m != mark and m in line), "")
    if other and found < len(table.names):
        return (
            f"{where}: fields are separated by {other}, but by {SEPARATORS[mark]} in the line of names; "
            "use one separator throughout"
        )
    at = table.names[found] if found < len(table.names) else f"after {table.names[-1]}"
    what = f"from column {at} on, fields are missing" if found < len(table.names) else f"there is more {at}"
    return f"{where}: {found} fields where the line of names has {len(table.names)}; {what}"
