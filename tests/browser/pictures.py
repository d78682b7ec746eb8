"""Makes the pictures of a folder small: few colours. The PDF becomes a picture of its first pages."""

import pathlib
import sys

import pymupdf
from PIL import Image

COLOURS = 200
PAGES = 2

folder = pathlib.Path(sys.argv[1])
pages = list(pymupdf.open(folder / "print.pdf"))[:PAGES]
images = []
for page in pages:
    pixels = page.get_pixmap(dpi=80)
    images.append(Image.frombytes("RGB", (pixels.width, pixels.height), pixels.samples))
sheet = Image.new("RGB", (sum(i.width for i in images) + 10, images[0].height), "#888")
left = 0
for image in images:
    sheet.paste(image, (left, 0))
    left += image.width + 10
sheet.save(folder / "report-print.png")
for path in folder.glob("*.png"):
    image = Image.open(path).convert("RGB").quantize(COLOURS, dither=Image.Dither.NONE)
    image.save(path, optimize=True)
