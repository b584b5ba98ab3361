"""Pictures of every kind: read as they are, or refused by name and in words."""

import struct
import zlib
from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest
from PIL import Image, ImageCms

from album import PHOTOS
from genlock.errors import BadPicture
from genlock.media.photo.picture import import_picture, look, working_size
from genlock.media.request import ImportedPicture, ImportPicture, LookAtPicture, PictureReport

RED, GREEN, BLUE = (200, 30, 40), (30, 160, 60), (30, 60, 190)


def quiet(fraction: float, note: str | None = None) -> None: ...


def flag(width: int = 120, height: int = 80) -> Image.Image:
    """Red above blue, with a green left third: it shows how a picture was turned."""
    image = Image.new("RGB", (width, height), RED)
    image.paste(BLUE, (0, height // 2, width, height))
    image.paste(GREEN, (0, 0, width // 3, height))
    return image


def report(path: Path, **options: int) -> PictureReport:
    return look(LookAtPicture(path=path, **options), quiet)


def imported(path: Path, **options: int) -> tuple[ImportedPicture, Image.Image]:
    copy = path.with_name("copy.jpg")
    answer = import_picture(ImportPicture(path=path, to=copy, **options), quiet)
    with Image.open(copy) as opened:
        opened.load()
    return answer, opened


def near(found: object, wanted: tuple[int, ...], within: int = 6) -> bool:
    return bool(np.abs(np.subtract(found, wanted)).max() <= within)  # type: ignore[arg-type]


def test_a_plain_jpeg_is_reported_as_it_is(tmp_path: Path) -> None:
    path = tmp_path / "garden.jpg"
    flag().save(path)
    seen = report(path)
    assert (seen.width, seen.height, seen.format, seen.mode) == (120, 80, "JPEG", "RGB")
    assert (seen.turned, seen.transparent, seen.profile, seen.notes) == (False, False, None, ())
    assert seen.bytes == path.stat().st_size


@pytest.mark.parametrize("ending", ["jpg", "tif", "png", "webp", "avif"])
@pytest.mark.parametrize("turn", range(1, 9))
def test_every_exif_orientation_comes_out_upright_once(tmp_path: Path, turn: int, ending: str) -> None:
    upright = flag()
    undo = {2: 0, 3: 3, 4: 1, 5: 5, 6: 2, 7: 6, 8: 4}
    lying = upright if turn == 1 else upright.transpose(Image.Transpose(undo[turn]))
    exif = Image.Exif()
    exif[0x0112] = turn
    path = tmp_path / f"turned.{ending}"
    lying.save(path, exif=exif, **({"quality": 95, "subsampling": 0} if ending == "jpg" else {}))
    answer, copy = imported(path)
    assert copy.size == (answer.report.width, answer.report.height) == (120, 80)
    assert answer.report.turned is (turn != 1)
    assert near(copy.getpixel((90, 20)), RED)
    assert near(copy.getpixel((90, 60)), BLUE)
    assert near(copy.getpixel((10, 60)), GREEN)
    assert not copy.getexif()


@pytest.mark.parametrize(
    ("name", "make"),
    [
        ("cmyk.jpg", lambda: flag().convert("CMYK")),
        ("palette.png", lambda: flag().quantize(16)),
        ("grey.png", lambda: flag().convert("L")),
        ("bitmap.png", lambda: flag().convert("1")),
        ("lab.tif", lambda: flag().convert("LAB")),
        ("picture.webp", flag),
        ("picture.avif", flag),
        ("picture.bmp", flag),
        ("picture.tiff", flag),
        ("picture.gif", flag),
        ("picture.jp2", flag),
    ],
)
def test_every_kind_of_pixels_becomes_rgb(tmp_path: Path, name: str, make: Callable[[], Image.Image]) -> None:
    path = tmp_path / name
    make().save(path)
    answer, copy = imported(path)
    assert copy.mode == "RGB"
    assert copy.size == (120, 80)
    expected = make().convert("L").convert("RGB") if make().mode in ("L", "1") else flag()
    if make().mode != "LAB":
        assert near(
            np.asarray(copy)[10:30, 80:110].mean((0, 1)), np.asarray(expected)[10:30, 80:110].mean((0, 1)), 20
        )
    assert answer.picture.width == 120


def test_sixteen_bits_keep_their_brightness(tmp_path: Path) -> None:
    grey = np.tile(np.linspace(0, 65535, 64).astype(np.uint16), (64, 1))
    Image.fromarray(grey).save(tmp_path / "deep.png")
    _, copy = imported(tmp_path / "deep.png")
    assert np.abs(np.asarray(copy)[:, :, 0].mean(0) - np.linspace(0, 255, 64)).max() < 4

    rows = b"".join(b"\0" + struct.pack(">HHH", 50000, 10000, 30000) * 64 for _ in range(64))
    (tmp_path / "rgb48.png").write_bytes(png(64, 64, 16, 2, rows))
    _, copy = imported(tmp_path / "rgb48.png")
    assert near(copy.getpixel((16, 16)), (195, 39, 117))


def png(width: int, height: int, depth: int, colour: int, rows: bytes) -> bytes:
    def chunk(kind: bytes, data: bytes) -> bytes:
        return struct.pack(">I", len(data)) + kind + data + struct.pack(">I", zlib.crc32(kind + data))

    header = struct.pack(">IIBBBBB", width, height, depth, colour, 0, 0, 0)
    body = zlib.compress(rows)
    return b"\x89PNG\r\n\x1a\n" + chunk(b"IHDR", header) + chunk(b"IDAT", body) + chunk(b"IEND", b"")


@pytest.mark.parametrize("pixels", [b"", b"no zlib at all", zlib.compress(bytes(100))])
def test_a_png_without_sound_pixels_is_refused_though_it_has_no_exif_data(
    tmp_path: Path, pixels: bytes
) -> None:
    whole = png(90, 80, 8, 2, bytes(271 * 80))
    head, tail = whole[:33], whole[-12:]
    data = struct.pack(">I", len(pixels)) + b"IDAT" + pixels + struct.pack(">I", zlib.crc32(b"IDAT" + pixels))
    (tmp_path / "a.png").write_bytes(head + data + tail)
    with pytest.raises(BadPicture, match=r"a\.png is damaged or cut off"):
        report(tmp_path / "a.png")
    (tmp_path / "a.png").write_bytes(whole)
    assert report(tmp_path / "a.png").notes == ()


def tiff_of(values: tuple[int, ...], photometric: int) -> bytes:
    """A TIFF of one colour with 16 bits a channel, which Pillow reads but does not write."""
    planes, width, height = len(values), 96, 64
    data = struct.pack(f"<{planes}H", *values) * (width * height)
    tags = {256: width, 257: height, 259: 1, 262: photometric, 277: planes, 278: height, 279: len(data)}
    names = sorted({*tags, 258, 273})
    depths = 8 + 2 + 12 * len(names) + 4
    tags |= {258: depths, 273: depths + 2 * planes}
    table = struct.pack("<H", len(names))
    for name in names:
        count = planes if name == 258 else 1
        table += struct.pack("<HHII", name, 3 if name == 258 else 4, count, tags[name])
    head = b"II*\0" + struct.pack("<I", 8) + table + bytes(4)
    return head + struct.pack(f"<{planes}H", *[16] * planes) + data


@pytest.mark.parametrize(
    ("values", "photometric", "colour"),
    [
        ((50_000, 10_000, 30_000), 2, (195, 39, 117)),
        ((65_535, 0, 0, 0), 5, (0, 255, 255)),
        ((0, 0, 0, 65_535), 5, (0, 0, 0)),
    ],
)
def test_tiffs_of_16_bits_keep_their_colours(
    tmp_path: Path, values: tuple[int, ...], photometric: int, colour: tuple[int, int, int]
) -> None:
    (tmp_path / "deep.tif").write_bytes(tiff_of(values, photometric))
    _, copy = imported(tmp_path / "deep.tif")
    assert near(copy.getpixel((40, 30)), colour)


@pytest.mark.parametrize("ending", ["jpg", "tif"])
@pytest.mark.parametrize(
    ("inks", "colour"),
    [((0, 0, 0, 0), (255, 255, 255)), ((0, 0, 0, 255), (0, 0, 0)), ((0, 255, 255, 0), (255, 0, 0))],
)
def test_inks_are_not_turned_into_their_opposite(
    tmp_path: Path, ending: str, inks: tuple[int, ...], colour: tuple[int, ...]
) -> None:
    path = tmp_path / f"print.{ending}"
    Image.new("CMYK", (96, 64), inks).save(path)
    assert near(imported(path)[1].getpixel((40, 30)), colour)


def test_exif_data_that_lies_or_is_broken_changes_nothing(tmp_path: Path) -> None:
    path = tmp_path / "photo.jpg"
    exif = Image.Exif()
    exif[0x0100], exif[0x0101], exif[0x0112] = 9999, 1, 77
    for data in (exif.tobytes(), b"Exif\0\0II*\0\xff\xff\xff\xff", b"Exif\0\0" + bytes(range(200))):
        flag().save(path, exif=data, quality=95, subsampling=0)
        answer, copy = imported(path)
        assert copy.size == (answer.report.width, answer.report.height) == (120, 80)
        assert not answer.report.turned
        assert near(copy.getpixel((90, 20)), RED)


@pytest.mark.parametrize(("ink", "ground"), [(RED, (255, 255, 255)), ((250, 250, 250), (34, 34, 38))])
def test_transparency_is_flattened_on_a_ground_it_stands_out_from(
    tmp_path: Path, ink: tuple[int, int, int], ground: tuple[int, int, int]
) -> None:
    image = Image.new("RGBA", (80, 80), (0, 0, 0, 0))
    image.paste((*ink, 255), (20, 20, 60, 60))
    image.save(tmp_path / "logo.png")
    answer, copy = imported(tmp_path / "logo.png")
    assert answer.report.transparent
    assert near(copy.getpixel((40, 40)), ink)
    assert near(copy.getpixel((5, 5)), ground)


def test_a_transparent_palette_is_flattened_too(tmp_path: Path) -> None:
    image = flag().quantize(4)
    image.save(tmp_path / "sprite.gif", transparency=image.getpixel((10, 10)))
    _, copy = imported(tmp_path / "sprite.gif")
    assert near(copy.getpixel((10, 60)), (255, 255, 255))
    assert near(copy.getpixel((90, 20)), RED)


def icc_profile(*primaries: tuple[float, float, float]) -> bytes:
    """A matrix profile of ICC version 2 with gamma 2.2 and these primaries, as XYZ under D50."""

    def xyz(*values: float) -> bytes:
        return b"XYZ \0\0\0\0" + struct.pack(">3i", *(round(value * 65536) for value in values))

    curve = b"curv\0\0\0\0" + struct.pack(">IH", 1, round(2.2 * 256)) + b"\0\0"
    name = b"desc\0\0\0\0" + struct.pack(">I", 5) + b"Swap\0" + b"\0" * 79
    tags = {b"desc": name, b"cprt": b"text\0\0\0\0none", b"wtpt": xyz(0.9642, 1.0, 0.8249)}
    for colour, primary in zip(b"rgb", primaries, strict=True):
        tags[bytes([colour]) + b"XYZ"] = xyz(*primary)
        tags[bytes([colour]) + b"TRC"] = curve
    table, data, at = struct.pack(">I", len(tags)), b"", 128 + 4 + 12 * len(tags)
    for tag, content in tags.items():
        table += tag + struct.pack(">II", at + len(data), len(content))
        data += content + b"\0" * (-len(content) % 4)
    size = 128 + len(table) + len(data)
    head = struct.pack(">I4sI4s4s4s", size, b"none", 0x02400000, b"mntr", b"RGB ", b"XYZ ") + b"\0" * 12
    head += b"acsp" + b"\0" * 28 + struct.pack(">3i", 63190, 65536, 54061)
    return head + b"\0" * (128 - len(head)) + table + data


RED_XYZ, GREEN_XYZ, BLUE_XYZ = (0.4361, 0.2225, 0.0139), (0.3851, 0.7169, 0.0971), (0.1431, 0.0606, 0.7141)


def test_a_colour_profile_is_converted_to_srgb(tmp_path: Path) -> None:
    path = tmp_path / "swapped.png"
    flag().save(path, icc_profile=icc_profile(BLUE_XYZ, GREEN_XYZ, RED_XYZ))
    answer, copy = imported(path)
    assert answer.report.profile == "Swap"
    assert answer.report.notes == ("it has only 120x80 pixels and will look soft",)
    assert near(copy.getpixel((90, 20)), RED[::-1], 12)
    assert copy.info.get("icc_profile") is None


def test_the_colours_of_a_wide_screen_become_those_of_a_usual_one(tmp_path: Path) -> None:
    path = tmp_path / "phone.jpg"
    display_p3 = icc_profile((0.5151, 0.2412, -0.0011), (0.2920, 0.6922, 0.0419), (0.1571, 0.0666, 0.7841))
    image = Image.new("RGB", (96, 64), (200, 100, 100))
    image.save(path, icc_profile=display_p3, quality=95, subsampling=0)
    _, copy = imported(path)
    assert near(copy.getpixel((40, 30)), (214, 94, 97), 4), "what is meant is redder than its numbers say"


def test_a_colour_profile_that_cannot_be_used_is_noted(tmp_path: Path) -> None:
    path = tmp_path / "photo.jpg"
    for profile in (b"not a profile", ImageCms.ImageCmsProfile(ImageCms.createProfile("LAB")).tobytes()):
        flag().save(path, icc_profile=profile)
        answer, copy = imported(path)
        assert any("colour profile cannot be used" in note for note in answer.report.notes)
        assert near(copy.getpixel((90, 20)), RED, 20)


def test_a_name_that_misleads_is_noted_and_content_decides(tmp_path: Path) -> None:
    path = tmp_path / "photo.jpg"
    flag().save(path, "PNG")
    assert report(path).format == "PNG"
    assert report(path).notes == ("it is called .jpg but is PNG",)


def test_names_in_any_script_are_read_and_quoted(tmp_path: Path) -> None:
    path = tmp_path / "фото 東京 🏠.png"
    flag().save(path)
    assert report(path).width == 120
    path.write_bytes(b"no")
    with pytest.raises(BadPicture, match="фото 東京 🏠"):
        report(path)


@pytest.mark.parametrize(
    ("size", "wanted"),
    [
        ((8000, 6000), (2880, 2160)),
        ((6000, 8000), (2160, 2880)),
        ((1920, 1080), (1920, 1080)),
        ((40000, 2000), (7680, 384)),
    ],
)
def test_working_copies_are_as_large_as_a_frame_can_show(
    size: tuple[int, int], wanted: tuple[int, int]
) -> None:
    assert working_size(size, 2160, 7680) == wanted


def test_a_working_copy_is_scaled_and_named_by_its_content(tmp_path: Path) -> None:
    flag(1200, 800).save(tmp_path / "large.jpg")
    answer, copy = imported(tmp_path / "large.jpg", short=200, long=1000)
    assert copy.size == (answer.picture.width, answer.picture.height) == (300, 200)
    again, _ = imported(tmp_path / "large.jpg", short=200, long=1000)
    assert again.picture == answer.picture
    assert near(copy.getpixel((200, 50)), RED)


def test_the_focus_is_on_what_stands_out(tmp_path: Path) -> None:
    meadow = np.full((600, 900, 3), (90, 140, 80), np.uint8)
    patch = np.random.default_rng(2).integers(0, 255, (120, 120, 3), np.uint8)
    meadow[100:220, 600:720] = patch
    Image.fromarray(meadow).save(tmp_path / "meadow.png")
    answer, _ = imported(tmp_path / "meadow.png")
    x, y = answer.picture.focus
    assert 0.62 < x < 0.75
    assert 0.2 < y < 0.45
    left, top, right, bottom = answer.picture.region
    assert 0.6 < left < 0.68 < 0.78 < right < 0.88
    assert 0.05 < top < 0.18 < 0.35 < bottom < 0.45
    Image.new("RGB", (300, 200), GREEN).save(tmp_path / "plain.png")
    plain = imported(tmp_path / "plain.png")[0].picture
    assert (plain.focus, plain.region, plain.detail) == ((0.5, 0.5), (0, 0, 1, 1), 0)


@pytest.mark.parametrize(
    ("name", "inside"),
    [
        ("two-dogs", [(0.4, 0.26), (0.53, 0.58)]),
        ("dandelion", [(0.31, 0.3)]),
        ("fig-in-bowl", [(0.6, 0.47)]),
        ("wall-clock", [(0.63, 0.5)]),
        ("lamp-and-bird", [(0.49, 0.74)]),
        ("drum-and-wine", [(0.48, 0.2), (0.48, 0.62)]),
    ],
)
def test_what_a_person_would_point_at_lies_in_the_region(
    tmp_path: Path, name: str, inside: list[tuple[float, float]]
) -> None:
    for scale in (1.0, 0.4):
        with Image.open(PHOTOS / f"{name}.jpg") as photo:
            small = photo.resize([round(side * scale) for side in photo.size])
        small.save(tmp_path / "photo.png")
        picture = imported(tmp_path / "photo.png")[0].picture
        left, top, right, bottom = picture.region
        assert all(left < x < right and top < y < bottom for x, y in inside)
        assert (right - left) * (bottom - top) < 0.5
        assert left <= picture.focus[0] <= right
        assert top <= picture.focus[1] <= bottom
