"""Files for tests: photographs, and pictures that move."""

from __future__ import annotations

import io
from functools import cache
from typing import Any

from PIL import Image


def encoded(image: Image.Image, kind: str, **options: Any) -> bytes:
    """An image as a file."""
    file = io.BytesIO()
    image.save(file, kind, **options)
    return file.getvalue()


def opened(content: bytes) -> Image.Image:
    """A file as an image."""
    return Image.open(io.BytesIO(content))


@cache
def photograph(kind: str = "JPEG", width: int = 1200, height: int = 800) -> bytes:
    """Red on the left, blue on the right, with grain as a photograph has it."""
    image = Image.new("RGB", (width, height), (20, 40, 220))
    image.paste((220, 40, 20), (0, 0, width // 3, height))
    grain = Image.effect_noise((width, height), 24).convert("RGB")
    return encoded(Image.blend(image, grain, 0.15), kind)


def moving(kind: str) -> bytes:
    """A few frames."""
    frames = [Image.new("RGB", (400, 300), (n * 40, 0, 0)) for n in range(4)]
    return encoded(frames[0], kind, save_all=True, append_images=frames[1:])
