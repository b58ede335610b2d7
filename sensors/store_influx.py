"""The store on InfluxDB 2.x: measurement `readings`, tag `device`, one float field a metric, times in ms.

A point's identity is device, time and a field's name: writing twice changes nothing, a late reading needs no
care. Batches are ours and synchronous, since the client's batching mode loses data in silence. InfluxDB's
answer decides: 400 and 422 mean something bad in a batch, which is halved until the bad readings stand alone;
413 halves too; everything else is a StoreError, and whoever writes tries again. A 400 that is not InfluxDB's
own (a proxy's page) says nothing about the readings, and is waited for too.
"""

from __future__ import annotations

import math
import re
from contextlib import suppress
from datetime import UTC, date, datetime, timedelta
from email.utils import parsedate_to_datetime
from functools import lru_cache
from operator import attrgetter
from typing import TYPE_CHECKING, Any

from influxdb_client import BucketRetentionRules, Dialect, InfluxDBClient, WritePrecision
from influxdb_client.client.exceptions import InfluxDBError
from influxdb_client.client.write_api import SYNCHRONOUS
from influxdb_client.rest import ApiException
from urllib3 import Retry
from urllib3.exceptions import HTTPError

from sensors.reading import Reading, ReadingsRefused, StoreError
from sensors.store import WITHDRAWN

if TYPE_CHECKING:
    from collections.abc import Collection, Iterable, Mapping, Sequence

    import pandas as pd

    from sensors.store import Key

MEASUREMENT = "readings"
BATCH = 5_000  # lines a request
TIMEOUT = 30.0  # seconds of one request
EPOCH = datetime(1970, 1, 1, tzinfo=UTC)
MILLISECOND = timedelta(milliseconds=1)
FIRST, LAST = EPOCH, datetime(2200, 1, 1, tzinfo=UTC)
BAD_LINES, TOO_LARGE, NOT_ALLOWED, NOT_FOUND, MADE_MEANWHILE = (400, 422), 413, (401, 403), 404, 422
PARTLY_KEPT = 422
COLUMNS = {"_time": "str", "_value": "float64", "_field": "str", "device": "str"}
PLAIN = Dialect(header=True, delimiter=",", annotations=[], comment_prefix="#", date_time_format="RFC3339")
BUT_REMOVED = f"|> filter(fn: (r) => r._value > {int(WITHDRAWN / 2)}.0) |> last()"
# a tag's value cannot hold control characters, nor end in a backslash; % is what the others are written with
_UNWRITABLE = re.compile(r"[\x00-\x1f\x7f%\\]")
_WRITTEN = re.compile(r"%([0-9A-F]{2})")
_SPECIAL = re.compile(r"([,= ])")
# how many points of a request a 422 left out: those before the bucket's retention, or of another type
_DROPPED = re.compile(r"dropped[ =](\d+)")
_OF_INFLUX = re.compile(r'"code"\s*:')


class InfluxStore:
    """A bucket of InfluxDB as `sensors.store.ReadingStore`; nothing is opened before the first call.

    Its token needs to read and write the bucket, no more; with leave to create buckets, a missing one is
    made, its readings kept `retention_days` (0: for ever).
    """

    def __init__(self, url: str, token: str, org: str, bucket: str, retention_days: int = 0) -> None:
        self.bucket, self._retention = bucket, timedelta(days=retention_days)
        self._where = f"InfluxDB at {url}"
        # a connection that the server closed meanwhile is opened again, once; nothing else is tried twice
        again = Retry(
            1, connect=0, status=0, redirect=0, allowed_methods=None, respect_retry_after_header=False
        )
        self._client = InfluxDBClient(
            url, token, org=org, timeout=int(1000 * TIMEOUT), enable_gzip=True, retries=again
        )

    def write(self, readings: Iterable[Reading]) -> None:
        """Keep these readings. Raises StoreError: none or some are kept, write them all again.

        Raises ReadingsRefused when all are kept but those that InfluxDB will never take.
        """
        given = list(readings)
        refused = [(each, "it is no number") for each in given if not math.isfinite(each.value)]
        points = _points(each for each in given if math.isfinite(each.value)) if refused else _points(given)
        points.sort(
            key=attrgetter("time")
        )  # what is too old for the bucket stands together, and costs few halvings
        for start in range(0, len(points), BATCH):
            self._send(points[start : start + BATCH], refused)
        if refused:
            raise ReadingsRefused(refused)

    def remove(self, keys: Iterable[Key]) -> None:
        """Take these readings back, there or not. Raises StoreError.

        InfluxDB deletes whole points, of every metric: a mark is written instead, which nobody is shown.
        """
        marks = (
            Reading(device, metric, WITHDRAWN, "", time, "received", "") for device, metric, time in keys
        )
        with suppress(ReadingsRefused):  # older than the bucket keeps: gone already
            self.write(marks)

    def read(
        self,
        start: datetime,
        end: datetime,
        devices: Collection[str] | None = None,
        metrics: Collection[str] | None = None,
    ) -> pd.DataFrame:
        """Readings of [start, end), as the protocol has them."""
        if start >= end:  # which InfluxDB takes for a mistake
            return _frame(None)
        return _shown(self._query(_flux(self.bucket, start, end, devices, metrics)))

    def latest(self, devices: Collection[str] | None = None) -> pd.DataFrame:
        """The last reading of each device and metric."""
        import pandas as pd  # noqa: PLC0415 - ingestion never reads

        found = self._query(_flux(self.bucket, FIRST, LAST, devices, None, "|> last()"))
        removed = found["value"] == WITHDRAWN
        if not removed.any():
            return found
        asked = set(found.loc[removed, "device"])
        before = self._query(_flux(self.bucket, FIRST, LAST, sorted(asked), None, BUT_REMOVED))
        both = pd.concat([found[~found["device"].isin(asked)], before])
        return both.sort_values(["device", "metric"], ignore_index=True)

    def settle(self, before: date) -> list[date]:  # noqa: ARG002 - the protocol's
        """No day: InfluxDB compacts its own files."""
        return []

    def check(self, *, made: bool = False) -> datetime | None:
        """The server's time, None if it does not say; raises StoreError unless the token reads and writes.

        Nothing is written but a comment.
        """
        try:
            self._post(b"# temoin")
            self._query(_flux(self.bucket, LAST - MILLISECOND, LAST, None, None))
            _, _, headers = self._client.api_client.call_api(
                "/ping", "GET", _return_http_data_only=False, _preload_content=False
            )
        except ApiException as error:
            if error.status == NOT_FOUND and not made:
                self._make_bucket(error)
                return self.check(made=True)
            raise self._trouble(error) from error
        except (HTTPError, OSError) as error:
            raise self._silence(error) from error
        said = headers.get("Date")
        return None if said is None else parsedate_to_datetime(said)

    def close(self) -> None:
        """Let go of the connections."""
        self._client.close()

    # ------------------------------------------------------------------------------------------ writing

    def _send(
        self, points: Sequence[_Point], refused: list[tuple[Reading, str]], *, made: bool = False
    ) -> None:
        try:
            self._post("\n".join(point.line for point in points).encode())
        except ApiException as error:
            if error.status == NOT_FOUND and not made:
                self._make_bucket(error)
                self._send(points, refused, made=True)
            elif error.status in BAD_LINES and _none_kept(error, len(points)):
                self._apart(points, _said(error), refused)
            elif error.status == TOO_LARGE or _is_own(error):
                self._halves(points, error, refused)
            else:
                raise self._trouble(error) from error
        except (HTTPError, OSError, ValueError) as error:
            raise self._silence(error) from error

    def _halves(
        self, points: Sequence[_Point], error: ApiException, refused: list[tuple[Reading, str]]
    ) -> None:
        if len(points) == 1:
            raise self._trouble(error) from error
        half = len(points) // 2
        self._send(points[:half], refused)
        self._send(points[half:], refused)

    def _post(self, lines: bytes) -> None:
        writing = self._client.write_api(write_options=SYNCHRONOUS)
        writing.write(self.bucket, record=lines, write_precision=WritePrecision.MS)

    def _apart(self, points: Sequence[_Point], why: str, refused: list[tuple[Reading, str]]) -> None:
        """Lines that are all bad: a line a reading then, since one field may be what is wrong with each."""
        readings = [each for point in points for each in point.readings]
        if len(readings) == len(points):
            refused += [(each, why) for each in readings]
            return
        self._send([_Point(each.device, each.time, [each]) for each in readings], refused)

    def _make_bucket(self, missing: ApiException) -> None:
        rules = BucketRetentionRules(every_seconds=int(self._retention.total_seconds()))
        try:
            self._client.buckets_api().create_bucket(bucket_name=self.bucket, retention_rules=rules)
        except InfluxDBError as error:  # ApiException is one, and so is an organisation that is not seen
            if getattr(error, "status", None) == MADE_MEANWHILE:
                return
            raise StoreError(
                f"{self._where} has no bucket « {self.bucket} » ({_said(missing)}) and this token may not "
                f"make it ({_said(error)}): influx bucket create --name {self.bucket}"
            ) from error
        except (HTTPError, OSError) as error:
            raise self._silence(error) from error

    # ------------------------------------------------------------------------------------------ reading

    def _query(self, flux: str, *, made: bool = False) -> pd.DataFrame:
        import pandas as pd  # noqa: PLC0415 - ingestion never reads

        try:
            answer = self._client.query_api().query_raw(flux, dialect=PLAIN)
            found = pd.read_csv(
                answer,
                usecols=list(COLUMNS),
                dtype=COLUMNS,
                keep_default_na=False,
                na_values={"_value": [""]},
            )
        except pd.errors.EmptyDataError:
            found = None
        except ApiException as error:
            if error.status == NOT_FOUND and not made:
                self._make_bucket(error)
                return self._query(flux, made=True)
            raise self._trouble(error) from error
        except (HTTPError, OSError, ValueError) as error:
            raise self._silence(error) from error
        return _frame(found)

    # ----------------------------------------------------------------------------------------- troubles

    def _trouble(self, error: ApiException) -> StoreError:
        if error.status in NOT_ALLOWED:
            return StoreError(
                f"{self._where} refuses the token ({_said(error)}): TEMOIN_INFLUX_TOKEN needs to read and "
                f"write the bucket « {self.bucket} » of TEMOIN_INFLUX_ORG"
            )
        headers: Mapping[str, str] = error.headers or {}
        wait = headers.get("Retry-After", "")
        return StoreError(
            f"{self._where} answers {error.status} ({_said(error)})",
            retry_after=float(wait) if wait.isdigit() else None,
        )

    def _silence(self, error: Exception) -> StoreError:
        return StoreError(f"{self._where} does not answer ({type(error).__name__})")


class _Point:
    """The readings of one device at one time, and their line."""

    __slots__ = ("line", "readings", "time")

    def __init__(self, device: str, time: datetime, readings: Collection[Reading]) -> None:
        self.readings, self.time = readings, time
        fields = ",".join([f"{each.metric}={float(each.value)!r}" for each in readings])
        self.line = f"{MEASUREMENT},device={_written_tag(device)} {fields} {(time - EPOCH) // MILLISECOND}"


def _points(readings: Iterable[Reading]) -> list[_Point]:
    """Readings of one device and time together, each metric once: the last received wins."""
    grouped: dict[tuple[str, datetime], dict[str, Reading]] = {}
    for each in readings:
        grouped.setdefault((each.device, each.time), {})[each.metric] = each
    return [_Point(*key, found.values()) for key, found in grouped.items()]


@lru_cache(maxsize=20_000)
def _written_tag(device: str) -> str:
    plain = _UNWRITABLE.sub(lambda found: f"%{ord(found[0]):02X}", device)
    return _SPECIAL.sub(r"\\\1", plain)


def _read_tag(value: str) -> str:
    return _WRITTEN.sub(lambda found: chr(int(found[1], 16)), value)


def _shown(found: pd.DataFrame) -> pd.DataFrame:
    """Without the marks of readings that were removed."""
    stays = found["value"] != WITHDRAWN
    return found if stays.all() else found[stays].reset_index(drop=True)


def _frame(found: pd.DataFrame | None) -> pd.DataFrame:
    """What was found, in the protocol's columns; None is nothing."""
    import pandas as pd  # noqa: PLC0415 - ingestion never reads

    if found is None:
        found = pd.DataFrame({name: [] for name in COLUMNS}, dtype=str)
    devices = found["device"].astype("category")
    names = devices.cat.rename_categories([_read_tag(name) for name in devices.cat.categories])
    times = pd.to_datetime(found["_time"], utc=True, format="ISO8601")
    frame = pd.DataFrame(
        {
            "device": names.astype("str"),
            "metric": found["_field"].astype("str"),
            "time": times.astype("datetime64[ms, UTC]"),
            "value": found["_value"].astype("float64"),
        }
    )
    return frame.sort_values(["device", "metric", "time"], ignore_index=True)


def _flux(
    bucket: str,
    start: datetime,
    end: datetime,
    devices: Collection[str] | None,
    metrics: Collection[str] | None,
    then: str = "",
) -> str:
    """A query that the storage engine filters by itself: `or` chains are pushed down, `contains` is not."""
    parts = [
        f"from(bucket: {_quoted(bucket)})",
        f"|> range(start: {_instant(start)}, stop: {_instant(end)})",
        f'|> filter(fn: (r) => r._measurement == "{MEASUREMENT}")',
    ]
    if devices is not None:
        tags = [_UNWRITABLE.sub(lambda found: f"%{ord(found[0]):02X}", device) for device in devices]
        parts.append(_any_of("device", tags))
    if metrics is not None:
        parts.append(_any_of("_field", metrics))
    parts += [then, '|> keep(columns: ["_time", "_value", "_field", "device"])']
    return "\n".join(filter(None, parts))


def _any_of(column: str, values: Iterable[str]) -> str:
    chain = " or ".join(f"r.{column} == {_quoted(value)}" for value in values)
    return f"|> filter(fn: (r) => {chain or 'false'})"


def _quoted(text: str) -> str:
    """A Flux string: nothing in it ends it or is interpolated."""
    return '"' + text.replace("\\", "\\\\").replace('"', '\\"').replace("${", "\\${") + '"'


def _instant(time: datetime) -> str:
    return time.astimezone(UTC).isoformat(timespec="milliseconds").replace("+00:00", "Z")


def _is_own(error: ApiException) -> bool:
    """Whether it is InfluxDB itself that finds the lines bad."""
    return error.status in BAD_LINES and _OF_INFLUX.search(_body(error)) is not None


def _none_kept(error: ApiException, count: int) -> bool:
    """Whether all of so many lines were found bad: each by itself when there is one only."""
    if count == 1 or error.status != PARTLY_KEPT:
        return count == 1 and _is_own(error)
    dropped = _DROPPED.search(_body(error))
    return dropped is not None and int(dropped[1]) == count


def _said(error: InfluxDBError) -> str:
    """What the server said, in one short line."""
    text = _body(error)
    found = re.search(r'"message"\s*:\s*"((?:[^"\\]|\\.)*)"', text)
    return " ".join((found[1] if found else text).split())[:300] or str(error.status)


def _body(error: InfluxDBError) -> str:
    body: Any = getattr(error, "body", None) or error.message or ""
    return body.decode("utf-8", "replace") if isinstance(body, bytes) else str(body)
