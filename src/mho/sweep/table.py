"""The table of a sweep: a row for every chip of every point, as Parquet and CSV, the same bytes however it was made."""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

from mho.errors import CheckpointError
from mho.folders import replacing

if TYPE_CHECKING:
    import pyarrow as pa

TABLE, CSV = "table.parquet", "table.csv"
KEY = b"mho"
"""Under this key the metadata of the file hold what `SweepTable.about` says."""

BASELINE = -1
"""The number that the table gives to all baselines in place of a point's."""
DONE, DIVERGED, REFUSED, OUT_OF_MEMORY, FAILED = "done", "diverged", "refused", "out of memory", "failed"
STATUSES = (DONE, DIVERGED, REFUSED, OUT_OF_MEMORY, FAILED)
OF_THE_DEVICE = (DIVERGED, REFUSED)
"""What says something of the device and rules a point out; any other failure only leaves its penalty unknown."""

PLACE = {"point": "int32", "grid": "string", "replicate": "int32", "chip": "int64"}
RESULT = {
    "test_accuracy": "float64", "test_loss": "float64", "train_loss": "float64", "pulses": "float64",
    "penalty": "float64", "status": "string", "reason": "string", "halved": "bool",
}  # fmt: skip


@dataclass(frozen=True)
class SweepTable:
    """What a sweep found.

    rows: lists of equal length by column, sorted by point and replicate: `point` (-1: a baseline, told from others by
        the swept fields), `grid`, `replicate`, `chip`, a column for every swept field by its path (None where a row's
        grid does not sweep it),
        `test_accuracy` (percent), `test_loss`, `train_loss`, `pulses`, `penalty` (points of test accuracy below the
        baseline), `status` (one of STATUSES), `reason`, `halved`.
    about: title, threshold, baseline (what, mean, std, values; where there are several, `each` of them with `where`,
        and no mean of all), axes (name, path, paths, grid, scale, values), seeds, config (TOML), and a `warning` where
        a baseline did not learn.
    """

    rows: dict[str, list[Any]]
    about: dict[str, Any]

    def __len__(self) -> int:
        return len(self.rows["point"])

    @property
    def fields(self) -> tuple[str, ...]:
        """The paths of the swept fields."""
        return tuple(name for name in self.rows if name not in PLACE and name not in RESULT)

    def where(self, **equal: Any) -> SweepTable:
        """Return the rows that have these values, as `where(status="done", grid="map")`."""
        keep = [k for k in range(len(self)) if all(self.rows[name][k] == value for name, value in equal.items())]
        return SweepTable({name: [column[k] for k in keep] for name, column in self.rows.items()}, self.about)


def worst(rows: Mapping[str, Sequence[Any]], of_point: Sequence[int]) -> int:
    """Return which of the rows of a point speaks for it: the first that rules it out, else that failed, else of all."""
    status = rows["status"]
    return min(of_point, key=lambda row: (status[row] == DONE, status[row] not in OF_THE_DEVICE))


def read(folder: Path) -> SweepTable:
    """Return the table of a sweep; of one that is not finished, the rows that there are.

    Raises CheckpointError naming what is missing or damaged.
    """
    folder = Path(folder)
    if (folder / TABLE).is_file():
        return _from_arrow(read_parquet(folder / TABLE), folder / TABLE)
    from mho.sweep.files import half_finished

    found = half_finished(folder)
    return SweepTable({**found.rows, **plain_fields(found)}, found.about)


def write(table: SweepTable, folder: Path) -> None:
    """Write table.parquet and table.csv, each whole or not at all."""
    import pyarrow.csv

    arrow = to_arrow(table)
    with replacing(folder / CSV) as temporary:
        pyarrow.csv.write_csv(arrow, temporary)
    write_parquet(arrow, folder / TABLE)


def to_arrow(table: SweepTable) -> pa.Table:
    """Return the table with the types of its columns; what `about` says is in the metadata of its schema."""
    import pyarrow as pa

    kinds = {**PLACE, **RESULT, **field_kinds(table)}
    table.rows.update(plain_fields(table))
    columns = [pa.field(name, _type(kinds[name])).with_nullable(True) for name in table.rows]
    about = json.dumps(table.about, sort_keys=True).encode()
    schema = pa.schema(columns, metadata={KEY: about})
    return pa.table({name: pa.array(values, schema.field(name).type) for name, values in table.rows.items()}, schema)


def _from_arrow(arrow: pa.Table, path: Path) -> SweepTable:
    missing = [name for name in (*PLACE, *RESULT) if name not in arrow.column_names]
    held = (arrow.schema.metadata or {}).get(KEY)
    if missing or held is None:
        raise CheckpointError(
            f"{path} is no table of a sweep: it has no {', '.join(missing) or 'metadata of mho'}; give the folder that "
            "mho sweep --out DIR wrote"
        )
    return SweepTable(arrow.to_pydict(), json.loads(held))


def plain_fields(table: SweepTable) -> dict[str, list[Any]]:
    """Return the columns of the swept fields with their values as the file holds them, finished or not."""
    return {path: [plain(v, kind) for v in table.rows[path]] for path, kind in field_kinds(table).items()}


def field_kinds(table: SweepTable) -> dict[str, str]:
    """Return the types of the columns of the swept fields, the values that are still to come among them."""
    listed: dict[str, list[Any]] = {}
    for axis in table.about.get("axes", ()):
        if axis.get("scale") == "list":  # a range may be one of whole numbers, which its ends do not say
            listed.setdefault(axis["paths"][0], []).extend(axis["values"])
    return {path: field_kind([*table.rows[path], *listed.get(path, ())]) for path in table.fields}


def field_kind(values: Sequence[Any]) -> str:
    """Return the type of the column of a swept field: int64, float64, or string for all else."""
    kinds = {type(value) for value in values if value is not None}
    if any(type(value) is int and abs(value) >= 2**63 for value in values):  # a seed, which no float holds exactly
        return "string"
    if kinds and kinds <= {int, float}:
        return "int64" if kinds == {int} else "float64"
    return "string"


def plain(value: Any, kind: str) -> Any:
    """Return a value as the column of a swept field holds it: texts as they are, lists and tables as JSON."""
    if value is None or kind == "int64":
        return value
    if kind == "float64":
        return float(value)
    return value if isinstance(value, str) else json.dumps(value)


def _type(kind: str) -> pa.DataType:
    import pyarrow as pa

    return pa.bool_() if kind == "bool" else getattr(pa, kind)()


def write_parquet(arrow: pa.Table, path: Path) -> None:
    """Write a table as Parquet, whole or not at all; its pages carry checksums."""
    import pyarrow.parquet as pq

    with replacing(path) as temporary:
        pq.write_table(arrow, temporary, compression="zstd", write_page_checksum=True)


def read_parquet(path: Path) -> pa.Table:
    """Return a table written as Parquet; raise CheckpointError when it is cut short or a bit of it has flipped."""
    import pyarrow as pa
    import pyarrow.parquet as pq

    try:
        # One file, not a dataset: pq.read_table would read the name of a folder above as a partition.
        with pq.ParquetFile(path, page_checksum_verification=True) as file:
            return file.read()
    except (pa.ArrowException, OSError, ValueError) as error:
        first = str(error).partition("\n")[0]
        raise CheckpointError(
            f"{path} cannot be read ({first}); it is damaged or cut short: delete it, and mho sweep --resume "
            f"{_sweep_of(path)} computes what it held again"
        ) from error


def _sweep_of(path: Path) -> Path:
    return path.parent.parent if path.parent.name == "packs" else path.parent
