"""A file of rows under a header: CSV, plain or gzip, as spreadsheets and loggers write it, Excel, Parquet."""

from __future__ import annotations

import codecs
import csv
import gzip
import io
import zlib
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, BinaryIO, cast

from sensors.reading import HistoryRejected

if TYPE_CHECKING:
    from pathlib import Path

_CHUNK = 1 << 20
MOST_UNPACKED = 4 << 30  # bytes of a packed file once it is not: a bomb is larger
MOST_SHEET = 1 << 30  # likewise of a workbook, which takes longer
LONGEST_HEADER = 1 << 20
_UNPACKING = (OSError, EOFError, zlib.error)


@dataclass(frozen=True, slots=True)
class Table:
    """A file's header and its rows, each with the number it is known by (`word` is line or row)."""

    header: list[str]
    rows: Iterator[tuple[int, Sequence[object]]]
    word: str
    separator: str = ""


@contextmanager
def open_table(path: Path, encoding: str | None = None, separator: str | None = None) -> Iterator[Table]:
    """The table in a file; encoding and separator are found out when they are not given.

    Raises HistoryRejected when it is no table, here or (naming the line) while its rows are read.
    """
    try:
        with path.open("rb") as plain:
            magic = plain.read(4)
        if magic == b"PAR1":
            with _duckdb() as connection:
                yield _parquet(connection, path)
            return
        if magic == b"PK\x03\x04":
            with _workbook(path) as table:
                yield table
            return
        with _unpacked(path, magic) as file:
            text = io.TextIOWrapper(file, encoding=encoding or _sniffed_encoding(file), newline="")
            yield _csv(text, separator)
    except _UNPACKING as error:
        raise HistoryRejected(f"{path}: {getattr(error, 'strerror', None) or error}") from error


def _unpacked(path: Path, magic: bytes) -> BinaryIO:
    """Gzip is known by its first bytes, whatever the file is called."""
    return cast("BinaryIO", gzip.open(path)) if magic[:2] == b"\x1f\x8b" else path.open("rb")


def _sniffed_encoding(file: BinaryIO) -> str:
    """UTF-8 when every byte of the file is, UTF-16 by its mark, else what Excel writes in France."""
    start = file.read(4)
    file.seek(0)
    if start.startswith((codecs.BOM_UTF16_LE, codecs.BOM_UTF16_BE)):
        return "utf-16"
    decoder = codecs.getincrementaldecoder("utf-8")()
    try:
        unpacked = 0
        while chunk := file.read(_CHUNK):
            unpacked += len(chunk)
            if unpacked > MOST_UNPACKED:
                raise HistoryRejected(
                    f"the file holds more than {MOST_UNPACKED >> 30} GB once unpacked: split it"
                )
            decoder.decode(chunk)
        decoder.decode(b"", final=True)
    except UnicodeDecodeError:
        return "cp1252"
    finally:
        file.seek(0)
    return "utf-8-sig"


def _csv(text: io.TextIOWrapper, separator: str | None) -> Table:
    try:
        first = text.readline(LONGEST_HEADER)
    except UnicodeDecodeError as error:
        raise HistoryRejected("line 1: this is not text") from error
    if not first.strip():
        raise HistoryRejected("line 1: the file has no header")
    separator = separator or max(",;\t|", key=first.count)
    text.seek(0)
    reader = csv.reader(text, delimiter=separator, strict=True)
    try:
        header = [name.strip() for name in next(reader)]
    except (csv.Error, UnicodeDecodeError) as error:
        raise HistoryRejected(f"line 1: {error}") from error
    return Table(header, _csv_rows(reader), "line", separator)


def _csv_rows(reader: Any) -> Iterator[tuple[int, Sequence[object]]]:  # noqa: ANN401 - csv's reader has no public type
    while True:
        try:
            row = next(reader, None)
        except (csv.Error, UnicodeDecodeError) as error:
            raise HistoryRejected(f"line {reader.line_num}: {error}") from error
        if row is None:
            return
        if row:
            yield reader.line_num, row


@contextmanager
def _workbook(path: Path) -> Iterator[Table]:
    """The first sheet of an Excel workbook, row by row."""
    import zipfile  # noqa: PLC0415 - only for workbooks

    import openpyxl  # noqa: PLC0415 - likewise
    from openpyxl.utils.exceptions import InvalidFileException  # noqa: PLC0415 - likewise

    with path.open("rb") as file:  # by its name openpyxl would refuse what is not called .xlsx
        try:
            with zipfile.ZipFile(file) as packed:
                if sum(entry.file_size for entry in packed.infolist()) > MOST_SHEET:
                    raise HistoryRejected(f"{path}: more than {MOST_SHEET >> 30} GB unpacked: save it as CSV")
            book = openpyxl.load_workbook(file, read_only=True, data_only=True)
        except (zipfile.BadZipFile, InvalidFileException, KeyError, ValueError, SyntaxError) as error:
            raise HistoryRejected(
                f"{path}: a zip that is no Excel workbook; save the sheet as CSV"
            ) from error
        try:
            rows = book.worksheets[0].iter_rows(values_only=True) if book.worksheets else iter(())
            header = [str(name).strip() for name in next(rows, ()) if name is not None]
            if not header:
                raise HistoryRejected(f"{path}: the first sheet has no header")
            yield Table(header, _sheet_rows(rows, len(header)), "row")
        finally:
            book.close()


def _sheet_rows(rows: Iterator[tuple[object, ...]], width: int) -> Iterator[tuple[int, Sequence[object]]]:
    for number, row in enumerate(rows, 2):
        cells = ["" if cell is None else cell for cell in row[:width]]
        if any(cell != "" for cell in cells):
            yield number, cells + [""] * (width - len(cells))


def _duckdb() -> Any:  # noqa: ANN401 - duckdb ships no types
    import duckdb  # noqa: PLC0415 - only for Parquet

    return duckdb.connect(config={"threads": 2, "memory_limit": "512MB"})


def _parquet(connection: Any, path: Path) -> Table:  # noqa: ANN401 - see above
    import duckdb  # noqa: PLC0415 - only for Parquet

    try:
        described = connection.execute("DESCRIBE SELECT * FROM read_parquet(?)", [str(path)]).fetchall()
        # aware times come as milliseconds: nothing else is needed to read them
        asked = ", ".join(
            f'epoch_ms("{name.replace(chr(34), chr(34) * 2)}")'
            if kind == "TIMESTAMP WITH TIME ZONE"
            else f'"{name.replace(chr(34), chr(34) * 2)}"'
            for name, kind, *_ in described
        )
        rows = connection.execute(f"SELECT {asked} FROM read_parquet(?)", [str(path)])
    except duckdb.Error as error:
        raise HistoryRejected(f"{path}: not readable as Parquet ({str(error).splitlines()[0]})") from error
    return Table([name for name, *_ in described], _fetched(rows), "row")


def _fetched(rows: Any) -> Iterator[tuple[int, Sequence[object]]]:  # noqa: ANN401 - duckdb ships no types
    number = 0
    while batch := rows.fetchmany(5000):
        for row in batch:
            number += 1
            yield number, row
