import io

import numpy as np
import pytest
from PIL import Image

from weightspace.data.pictures import SUFFIXES, PictureError, read_picture


def encoded(picture, kind="png", **settings):
    buffer = io.BytesIO()
    picture.save(buffer, kind, **settings)
    return buffer.getvalue()


def noise(*shape):
    return np.random.default_rng(0).integers(0, 256, shape, dtype=np.uint8)


@pytest.mark.parametrize("shape", [(5, 7), (5, 7, 3)])
def test_a_picture_comes_back(shape):
    pixels = noise(*shape)
    found = read_picture(encoded(Image.fromarray(pixels)), channels=3 if len(shape) == 3 else 1)
    np.testing.assert_array_equal(found, pixels, strict=True)


def test_the_wanted_channels_are_made():
    grey, colour = noise(4, 4), noise(4, 4, 3)
    found = read_picture(encoded(Image.fromarray(grey)), channels=3)
    np.testing.assert_array_equal(found, np.repeat(grey[..., None], 3, axis=2))
    found = read_picture(encoded(Image.fromarray(colour)), channels=1)
    luma = colour @ [0.299, 0.587, 0.114]
    np.testing.assert_allclose(found, luma, atol=1)


def test_both_sides_are_resized():
    pixels = np.zeros((40, 20), np.uint8)
    pixels[:20] = 200  # the upper half
    found = read_picture(encoded(Image.fromarray(pixels)), channels=1, size=(4, 6))
    assert found.shape == (4, 6)
    assert (found[0] == 200).all() and (found[3] == 0).all()


def test_shrinking_is_smooth():
    checks = np.indices((64, 64)).sum(0) % 2 * 255  # nearest pixels would all be 0 or 255
    found = read_picture(encoded(Image.fromarray(checks.astype(np.uint8))), channels=1, size=(8, 8))
    assert (abs(found.astype(int) - 127) <= 2).all()


@pytest.mark.parametrize("kind", ["bmp", "gif", "jpeg", "pcx", "ppm", "tga", "tiff", "webp"])
def test_other_formats_are_read(kind):
    picture = Image.new("RGB", (6, 5), (200, 100, 0))
    found = read_picture(encoded(picture, kind), channels=3)
    assert found.shape == (5, 6, 3)
    np.testing.assert_allclose(found, np.broadcast_to([200, 100, 0], (5, 6, 3)), atol=4)
    assert any(kind in suffix for suffix in SUFFIXES)


def test_transparent_pixels_are_white():
    pixels = np.zeros((2, 2, 4), np.uint8)
    pixels[0, 0] = (10, 20, 30, 255)
    found = read_picture(encoded(Image.fromarray(pixels)), channels=3)
    assert found[0, 0].tolist() == [10, 20, 30]
    assert (found.reshape(4, 3)[1:] == 255).all()


def test_a_palette_with_a_transparent_colour_is_white_there():
    picture = Image.new("P", (2, 1))
    picture.putpalette([9, 9, 9, 50, 60, 70])
    picture.putpixel((1, 0), 1)
    found = read_picture(encoded(picture, transparency=b"\x00\xff"), channels=3)
    assert found[0].tolist() == [[255, 255, 255], [50, 60, 70]]


def test_photographs_are_turned_upright():
    pixels = noise(2, 3)
    exif = Image.Exif()
    exif[0x0112] = 3  # upside down
    found = read_picture(encoded(Image.fromarray(pixels), exif=exif), channels=1)
    np.testing.assert_array_equal(found, pixels[::-1, ::-1])


def test_of_an_animation_the_first_frame_counts():
    frames = [Image.new("L", (3, 2), level) for level in (40, 200)]
    content = encoded(frames[0], "gif", save_all=True, append_images=frames[1:])
    assert (read_picture(content, channels=1) == 40).all()


def test_sixteen_bits_keep_their_upper_half():
    pixels = (np.arange(256, dtype=np.uint16) * 257).reshape(16, 16)
    found = read_picture(encoded(Image.fromarray(pixels)), channels=1)
    np.testing.assert_array_equal(found, np.arange(256).reshape(16, 16))


def test_thirty_two_bits_are_refused():
    picture = Image.fromarray(np.ones((2, 2), np.float32))
    with pytest.raises(PictureError, match="32 bits per pixel"):
        read_picture(encoded(picture, "tiff"), channels=1)


def huge():
    """A small file that says it holds 400 million pixels."""
    content = bytearray(encoded(Image.new("1", (1, 1)), "bmp"))
    content[18:26] = np.array([20_000, 20_000], "<i4").tobytes()
    return bytes(content)


def large(monkeypatch):
    monkeypatch.setattr(Image, "MAX_IMAGE_PIXELS", 15)  # warns above it, fails above twice of it
    return encoded(Image.new("L", (4, 5)))


def test_a_bomb_is_refused(monkeypatch):
    with pytest.raises(PictureError, match="400000000 pixels"):
        read_picture(huge(), channels=1)
    with pytest.raises(PictureError, match="20 pixels"):
        read_picture(large(monkeypatch), channels=1)


@pytest.mark.parametrize(
    "content",
    [
        b"",
        b"no picture",
        encoded(Image.fromarray(noise(50, 50)))[:-900],
        encoded(Image.fromarray(noise(50, 50)), "jpeg")[:900],
        encoded(Image.new("RGB", (4, 4)), "eps"),
    ],
    ids=["empty", "text", "truncated png", "truncated jpeg", "eps"],
)
def test_what_is_no_whole_picture_is_refused(content):
    with pytest.raises(PictureError):
        read_picture(content, channels=3)


def test_memory_that_lacks_is_not_blamed_on_the_picture(monkeypatch):
    content = encoded(Image.fromarray(noise(5, 7)))

    def full(*_, **__):
        raise MemoryError

    monkeypatch.setattr(Image, "open", full)
    with pytest.raises(PictureError):  # there is memory: a damaged size, then
        read_picture(content, channels=1)
    monkeypatch.setattr("weightspace.failures._can_be_had", lambda _: False)
    with pytest.raises(MemoryError):
        read_picture(content, channels=1)
