"""Folders of pictures, and pictures in them, that cannot be used."""

import io
import zlib
from pathlib import Path

import numpy as np
from PIL import Image
from ways import Met, kind, pictures


def png(size=(8, 8), mode="L"):
    buffer = io.BytesIO()
    noise = np.random.default_rng(0).integers(0, 255, size[::-1], np.uint8)
    Image.fromarray(noise).convert(mode).save(buffer, "png" if mode == "L" else "tiff")
    return buffer.getvalue()


def folder(classes=("cat", "dog"), n=6):
    """The folder `images` with n pictures of each class."""
    for name in classes:
        Path("images", name).mkdir(parents=True)
        for i in range(n):
            Path("images", name, f"{i}.png").write_bytes(png())


def bad(content, name="images/dog/3.png"):
    """A good folder but for one picture."""
    folder()
    Path("images/dog/3.png").unlink()
    Path(name).write_bytes(content)
    return Met(pictures(), name)


@kind("picture: truncated")
def truncated():
    return bad(png(size=(90, 90))[:-900])


@kind("picture: not a picture")
def no_picture():
    return bad(b"<html>404 not found</html>")


@kind("picture: empty file")
def empty():
    return bad(b"")


@kind("picture: no pixels")
def no_pixels():
    content = png()
    header = b"IHDR" + bytes(8) + content[24:29]
    checksum = zlib.crc32(header).to_bytes(4, "big")
    return bad(content[:12] + header + checksum + content[33:])


@kind("picture: 32 bits per pixel")
def deep():
    return bad(png(mode="F"), "images/dog/3.tiff")


@kind("picture: a decompression bomb")
def bomb():
    buffer = io.BytesIO()
    Image.new("1", (1, 1)).save(buffer, "bmp")
    content = bytearray(buffer.getvalue())
    content[18:26] = np.array([20_000, 20_000], "<i4").tobytes()
    return bad(bytes(content), "images/dog/3.bmp")


@kind("pictures: no folder")
def no_folder():
    return Met(pictures(), "images")


@kind("pictures: one class only")
def one_class():
    folder(classes=("cat",))
    return Met(pictures(), "images")


@kind("pictures: an empty class")
def empty_class():
    folder()
    Path("images/eel").mkdir()
    return Met(pictures(), "images")


@kind("pictures: one picture in a class")
def one_picture():
    folder()
    folder(classes=("eel",), n=1)
    return Met(pictures(), "class eel in images")


@kind("pictures: not in the folder of a class")
def misplaced():
    folder()
    Path("images/loose.png").write_bytes(png())
    return Met(pictures(), "images")


@kind("pictures: a class whose name is no text")
def foreign_name():
    folder(("cat", "dog", "e\udcffl"))  # the byte 0xff
    return Met(pictures(), "images")


@kind("pictures: more objects than there are")
def too_many():
    folder()
    return Met(pictures(train=40), "objects of own")


@kind("official set: a file is missing")
def official_missing():
    Path("images").mkdir()
    run = pictures("mnist", train=10, val=10, test=10)
    return Met(run, "images/train-images-idx3-ubyte")


@kind("official set: wrong content")
def official_damaged():
    Path("images").mkdir()
    Path("images/train-images-idx3-ubyte").write_bytes(b"\0\0\x08\x03")
    run = pictures("mnist", train=10, val=10, test=10)
    return Met(run, "train-images-idx3-ubyte")
