"""The head of a GGUF file, read and checked without reading the weights.

What is looked at: magic and version, every key, and for every tensor its name, shape, type and offset.
Tensors must follow one another without gaps, as llama.cpp demands too, and the last must end within the
file; so a file cut anywhere, or whose shapes or offsets were changed, is refused in a fraction of a second.
Format: https://github.com/ggml-org/ggml/blob/master/docs/gguf.md, versions 2 and 3.
"""

import mmap
import re
import struct
from dataclasses import dataclass
from functools import lru_cache
from math import prod
from pathlib import Path
from typing import Any

from safeneuron.errors import UserError

MAGIC = b"GGUF"
VERSIONS = (2, 3)
SCALARS = {0: "B", 1: "b", 2: "H", 3: "h", 4: "I", 5: "i", 6: "f", 7: "?", 10: "Q", 11: "q", 12: "d"}
"""Struct codes of the value types; 8 is a string and 9 an array."""
STRING, ARRAY = 8, 9
PIECE = re.compile(r"-(?P<number>\d{5})-of-(?P<count>\d{5})\.gguf$", re.IGNORECASE)


class ArrayLength(int):
    """Stands for an array among the values, which are not kept."""


@dataclass(frozen=True)
class GGUFTensor:
    """One tensor's entry: ``info`` is all of it but the offset, as it stands in the file."""

    name: str
    shape: tuple[int, ...]
    info: bytes
    offset: int
    nbytes: int


@dataclass(frozen=True)
class GGUFHeader:
    """What a file says of itself.

    Parameters
    ----------
    facts : dict
        Every key with its value; an array's value is its length, an :class:`ArrayLength`.
    keys : bytes
        The keys and values as they stand in the file.
    tensors : tuple of GGUFTensor
    data_start : int
        Where in the file the tensors begin.
    """

    facts: dict[str, Any]
    keys: bytes
    n_keys: int
    tensors: tuple[GGUFTensor, ...]
    data_start: int

    @property
    def architecture(self) -> str:
        """Name of the architecture, in llama.cpp's terms; empty in all pieces but the first."""
        return str(self.facts.get("general.architecture", ""))

    @property
    def n_weights(self) -> int:
        """Weights in all tensors."""
        return sum(prod(tensor.shape) for tensor in self.tensors)

    @property
    def alignment(self) -> int:
        """Every tensor begins at a multiple of this."""
        return self.facts.get("general.alignment", 32)


def read_header(path: Path) -> GGUFHeader:
    """Return the head of a GGUF file; an unchanged file is read once.

    Raises
    ------
    UserError
        When the file is cut short, damaged, or no GGUF file that can be read.
    """
    state = path.stat()
    return _read_header(path, state.st_size, state.st_mtime_ns)


@lru_cache(maxsize=16)
def _read_header(path: Path, size: int, changed: int) -> GGUFHeader:
    try:
        with path.open("rb") as stream, mmap.mmap(stream.fileno(), 0, access=mmap.ACCESS_READ) as data:
            return _Reader(data).header()
    except (struct.error, ValueError, KeyError, TypeError, IndexError, OverflowError) as error:
        raise UserError(f"{path} is damaged, cut short or no GGUF file ({error}); fetch it again.") from error


def pieces_of(path: Path) -> list[Path]:
    """Return the files of a model in pieces, given the first of them; any other file alone.

    Raises
    ------
    UserError
        When it is not the first piece, or another piece is not beside it.
    """
    match = PIECE.search(path.name)
    if not match:
        return [path]
    stem, count = path.name[: match.start()], int(match["count"])
    if int(match["number"]) != 1:
        raise UserError(f"{path} is one piece of a model; give the first, {stem}-00001-of-{count:05d}.gguf.")
    pieces = [path.with_name(f"{stem}-{number:05d}-of-{count:05d}.gguf") for number in range(1, count + 1)]
    missing = [piece.name for piece in pieces if not piece.is_file()]
    if missing:
        raise UserError(f"{missing[0]} is not beside {path}; fetch all {count} pieces into one folder.")
    return pieces


def aligned(position: int, alignment: int) -> int:
    """Return the next multiple of the alignment."""
    return -(-position // alignment) * alignment


class _Reader:
    """Reads a head from its beginning on; anything beyond the end of the file is an error."""

    def __init__(self, data: mmap.mmap) -> None:
        self._data = data
        self._at = 0

    def header(self) -> GGUFHeader:
        if self._bytes(4) != MAGIC:
            raise ValueError("it does not begin with GGUF")
        version = self._number("I")
        if version not in VERSIONS:
            raise ValueError(f"version {version}, not one of {VERSIONS}")
        n_tensors, n_keys = self._number("Q"), self._number("Q")
        start, facts = self._at, {}
        for _ in range(n_keys):
            name = self._string()
            if name in facts:
                raise ValueError(f"{name} twice")
            facts[name] = self._value(self._number("I"))
        keys = self._data[start : self._at]
        entries = [self._tensor() for _ in range(n_tensors)]
        if len({tensor.name for tensor in entries}) != n_tensors:
            raise ValueError("a tensor's name twice")
        header = GGUFHeader(facts, keys, n_keys, tuple(entries), 0)
        if header.alignment <= 0 or header.alignment & (header.alignment - 1):
            raise ValueError(f"an alignment of {header.alignment}")
        data_start = aligned(self._at, header.alignment)
        end = 0
        for tensor in entries:
            if tensor.offset != end:
                raise ValueError(f"{tensor.name} lies at {tensor.offset}, not at {end}")
            end = aligned(tensor.offset + tensor.nbytes, header.alignment)
        if entries and data_start + entries[-1].offset + entries[-1].nbytes > len(self._data):
            raise ValueError(f"{data_start + end:,} bytes are announced, {len(self._data):,} are there")
        return GGUFHeader(facts, keys, n_keys, tuple(entries), data_start)

    def _bytes(self, count: int) -> bytes:
        found = self._data[self._at : self._at + count]
        if len(found) != count:
            raise ValueError("it ends within its head")
        self._at += count
        return found

    def _number(self, code: str) -> Any:
        (value,) = struct.unpack_from("<" + code, self._data, self._at)
        self._at += struct.calcsize("<" + code)
        return value

    def _string(self) -> str:
        return self._bytes(self._number("Q")).decode("utf-8")

    def _value(self, kind: int) -> Any:
        if kind == STRING:
            return self._string()
        if kind != ARRAY:
            return self._number(SCALARS[kind])
        of, length = self._number("I"), self._number("Q")
        if of in SCALARS:
            self._skip(length * struct.calcsize("<" + SCALARS[of]))
        elif of == STRING:
            for _ in range(length):
                self._skip(self._number("Q"))
        else:
            raise ValueError(f"an array of type {of}")
        return ArrayLength(length)

    def _skip(self, count: int) -> None:
        if self._at + count > len(self._data):
            raise ValueError("it ends within its head")
        self._at += count

    def _tensor(self) -> GGUFTensor:
        from gguf.constants import GGML_QUANT_SIZES, GGMLQuantizationType

        start = self._at
        name = self._string()
        shape = tuple(self._number("Q") for _ in range(self._number("I")))
        per_block, block_bytes = GGML_QUANT_SIZES[GGMLQuantizationType(self._number("I"))]
        if not shape or prod(shape) == 0 or shape[0] % per_block:
            raise ValueError(f"{name} has the shape {shape}")
        info = self._data[start : self._at]
        return GGUFTensor(name, shape, info, self._number("Q"), prod(shape) // per_block * block_bytes)
