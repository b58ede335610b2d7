"""A picture that somebody sent, encoded anew: nothing of the file it came in is kept."""

from __future__ import annotations

import io
import warnings
from typing import Literal

from PIL import Image, ImageOps, UnidentifiedImageError

FORMATS = ("JPEG", "PNG", "WEBP")  # no SVG, which is a program, and nothing that moves
MOST_BYTES = 15_000_000
MOST_PIXELS = 60_000_000
WIDEST = 1200  # pixels of the longer side that are kept
QUALITY = 80


class ImageRefused(ValueError):  # noqa: N818 - it says what happened
    """What was sent is no picture that is taken; `code` says why."""

    def __init__(self, code: Literal["empty", "large", "kind", "broken"]) -> None:
        super().__init__(code)
        self.code = code


def encoded_anew(sent: bytes) -> tuple[bytes, int, int]:
    """JPEG bytes without any metadata, upright, at most 1,200 pixels wide or high; width and height.

    Raises ImageRefused: empty, larger than 15 MB or 60 megapixels, of another kind, or broken.
    """
    if not sent:
        raise ImageRefused("empty")
    if len(sent) > MOST_BYTES:
        raise ImageRefused("large")
    try:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore", Image.DecompressionBombWarning)  # our own limit is lower
            with Image.open(io.BytesIO(sent), formats=FORMATS) as opened:
                if opened.width * opened.height > MOST_PIXELS:
                    raise ImageRefused("large")
                opened.draft("RGB", (2 * WIDEST, 2 * WIDEST))
                picture = ImageOps.exif_transpose(opened).convert("RGB")
    except UnidentifiedImageError as error:
        raise ImageRefused("kind") from error
    except (OSError, ValueError, SyntaxError, Image.DecompressionBombError) as error:
        if isinstance(error, ImageRefused):
            raise
        raise ImageRefused("broken") from error
    picture.thumbnail((WIDEST, WIDEST))
    kept = io.BytesIO()
    picture.save(kept, "JPEG", quality=QUALITY, optimize=True)
    return kept.getvalue(), picture.width, picture.height
