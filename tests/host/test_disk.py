"""The bundle, the partition table and the images, read back by independent code."""

import io
import struct
import uuid
import zlib
from pathlib import Path

import pytest
from elftools.elf.elffile import ELFFile

from pybuild import bundle, gpt, images
from pybuild.gpt import SECTOR_BYTES, Partition
from pybuild.paths import BUILD, BUNDLE


def headers_of(disk: bytes) -> list[tuple[int, ...]]:
    """(own, other, first, last usable, table sector) of both headers, their checks checked."""
    found: list[tuple[int, ...]] = []
    for sector in (1, len(disk) // SECTOR_BYTES - 1):
        header = disk[sector * SECTOR_BYTES : (sector + 1) * SECTOR_BYTES]
        assert header[:8] == b"EFI PART"
        (size, crc) = struct.unpack_from("<II", header, 12)
        assert zlib.crc32(header[:16] + b"\0\0\0\0" + header[20:size]) == crc
        own, other, first, last = struct.unpack_from("<QQQQ", header, 24)
        table, count, entry_bytes, table_crc = struct.unpack_from("<QIII", header, 72)
        start = table * SECTOR_BYTES
        assert zlib.crc32(disk[start : start + count * entry_bytes]) == table_crc
        assert own == sector
        found.append((own, other, first, last, table))
    return found


def entries_of(disk: bytes, table: int) -> dict[str, tuple[uuid.UUID, int, int]]:
    """name → (type, first, last sector) of a table."""
    found = {}
    for index in range(gpt.ENTRY_COUNT):
        start = table * SECTOR_BYTES + index * gpt.ENTRY_BYTES
        entry = disk[start : start + gpt.ENTRY_BYTES]
        if entry[:16] != bytes(16):
            first, last = struct.unpack_from("<QQ", entry, 32)
            name = entry[56:].decode("utf-16-le").rstrip("\0")
            found[name] = (uuid.UUID(bytes_le=entry[:16]), first, last)
    return found


@pytest.mark.parametrize("sizes", [[], [0], [1], [512], [4096, 5000], [1 << 20, (1 << 20) + 1]])
def test_both_tables_say_where_the_contents_are(sizes: list[int]) -> None:
    parts = [Partition(f"image:p{i}", bytes([i + 1]) * size) for i, size in enumerate(sizes)]
    disk = gpt.disk_bytes(parts)
    primary, backup = headers_of(disk)
    assert (primary[0], primary[1]) == (backup[1], backup[0])
    assert entries_of(disk, primary[4]) == entries_of(disk, backup[4])
    end = 0
    for part in parts:
        kind, first, last = entries_of(disk, primary[4])[part.name]
        assert kind == gpt.TYPE_IMAGE
        assert first % gpt.ALIGN_SECTORS == 0
        assert max(end, primary[2]) <= first and last <= primary[3]
        assert disk[first * SECTOR_BYTES :].startswith(part.data)
        end = max(last, first) + 1


def test_the_protective_mbr_covers_the_disk() -> None:
    disk = gpt.disk_bytes([])
    assert disk[510:512] == b"\x55\xaa"
    kind, first, count = disk[450], *struct.unpack_from("<II", disk, 454)
    assert (kind, first, count) == (0xEE, 1, len(disk) // SECTOR_BYTES - 1)


def test_a_partition_name_has_36_characters_at_most() -> None:
    gpt.disk_bytes([Partition("x" * 36, b"")])
    with pytest.raises(ValueError, match="longer than 36"):
        gpt.disk_bytes([Partition("x" * 37, b"")])


def test_a_bundle_is_read_back() -> None:
    files = {"init": b"\x7fELF" + b"1" * 5000, "test/" + "n" * 42: b"", "a": b"x" * 4096}
    data = bundle.bundle_bytes(files)
    assert len(data) % 4096 == 0
    assert bundle.bundle_read(data) == files
    with pytest.raises(ValueError, match="longer than 47"):
        bundle.bundle_bytes({"n" * 48: b""})


def test_a_bundle_may_have_more_files_than_fit_in_one_page() -> None:
    files = {f"test/{i}": bytes([i]) for i in range(200)}
    assert bundle.bundle_read(bundle.bundle_bytes(files)) == files


def test_a_bundle_says_what_is_mapped_of_init() -> None:
    init = bundle.elf_without_sections((BUILD / "user" / "init").read_bytes())
    data = bundle.bundle_bytes({"first": b"x", "init": init})
    entry, stack_top, *numbers = bundle.INIT.unpack_from(data, bundle.HEADER.size)
    mappings = [tuple(numbers[i : i + 4]) for i in range(0, len(numbers), 4)]
    used = [mapping for mapping in mappings if mapping[1]]
    memory = {}
    for address, size, offset, rights in used:
        assert not (address | size | offset) % 4096
        for page in range(0, size, 4096):
            contents = data[offset + page :][:4096] if offset else bytes(4096)
            memory[address + page] = (contents, rights)
    assert all(rights & 6 != 6 for _, rights in memory.values())
    assert memory[entry & -4096][1] == bundle.READ | bundle.EXECUTE
    assert memory[stack_top - 4096] == (bytes(4096), bundle.READ | bundle.WRITE)
    assert stack_top not in memory
    for segment in ELFFile(io.BytesIO(init)).iter_segments("PT_LOAD"):
        loaded = segment.data().ljust(segment["p_memsz"], b"\0")
        for at in range(0, len(loaded), 4096):
            contents, rights = memory[segment["p_vaddr"] + at]
            assert contents.startswith(loaded[at : at + 4096])
            assert rights & bundle.WRITE == segment["p_flags"] & 2


FILE_SYSTEMS = [recipe for recipe in images.recipes() if not recipe.is_bundle]


@pytest.mark.parametrize("recipe", FILE_SYSTEMS, ids=lambda recipe: recipe.name)
def test_an_image_is_a_sound_erofs_and_a_page_of_text(
    recipe: images.Recipe, tmp_path: Path
) -> None:
    data = recipe.out.read_bytes()
    text = data[-4096:].rstrip(b"\0").decode()
    assert text.startswith("cloister-image 1\ncommand ")
    erofs = tmp_path / "erofs"
    erofs.write_bytes(data[:-4096])
    assert images.erofs_problems(erofs) == ""


def test_the_system_s_own_image_is_what_it_boots_from() -> None:
    (recipe,) = [recipe for recipe in images.recipes() if recipe.is_bundle]
    data = recipe.out.read_bytes()
    is_same = data[:-4096] == BUNDLE.read_bytes()  # a difference would be shown in full
    assert is_same
    assert data[-4096:].rstrip(b"\0") == b"cloister-image 1\nnative init\nneeds nest\n"


def test_the_trailer_takes_lines_only() -> None:
    with pytest.raises(ValueError, match="must be lines"):
        images.trailer({"command": ["a\nb"]})


def test_a_recipe_can_not_write_outside_of_its_tree(tmp_path: Path) -> None:
    with pytest.raises(ValueError, match="no absolute path"):
        images._inside(tmp_path, "/../x")
