"""What programs say, read strictly: a number is no date, a text no number."""

from __future__ import annotations

import re
from datetime import date
from typing import Annotated

from pydantic import AwareDatetime, BaseModel, BeforeValidator, ConfigDict, Field

ISO_DAY = re.compile(r"\d{4}-\d\d-\d\d")


class Said(BaseModel):
    """A body: fields that are not in it are refused, and so is what would have to be converted."""

    model_config = ConfigDict(extra="forbid", strict=True)


def _text(value: object) -> object:
    if value is not None and not isinstance(value, str):
        raise ValueError("say it as a text, by ISO 8601")
    return value


def _day(value: object) -> object:
    if value is not None and not isinstance(value, date) and not ISO_DAY.fullmatch(str(value)):
        raise ValueError("say it as YYYY-MM-DD")
    return value


Instant = Annotated[AwareDatetime, Field(strict=False), BeforeValidator(_text)]
Day = Annotated[date, BeforeValidator(_day)]
HOUR = (
    r"^([01]\d|2[0-3]):[0-5]\d(:[0-5]\d)?$"  # OpenAPI's format `time` has an offset, a building's hours none
)
