"""The library's GGUF reader, taught to step over a vocabulary: it makes objects of every token.

Of Llama 3's 128,256 that took gguf 0.19.0 12 to 17 s on two busy cores, this 0.2 s. Delete it once the library is lazy.
"""

from __future__ import annotations

import struct
from typing import Any

from gguf import GGUFEndian, GGUFReader, GGUFValueType

# Longer than any list that tells something layer by layer, shorter than any vocabulary.
_LONG = 2048


class GgufHeader(GGUFReader):
    """A GGUF file mapped into memory: its short fields, and the names, types and places of its tensors."""

    def _get_field_parts(self, orig_offs: int, raw_type: int) -> tuple[int, list[Any], list[int], list[GGUFValueType]]:
        if raw_type == GGUFValueType.ARRAY:
            order = ">" if self.endianess == GGUFEndian.BIG else "<"
            item, length = struct.unpack_from(f"{order}IQ", self.data.data, orig_offs)
            if length > _LONG and item != GGUFValueType.ARRAY:
                start = orig_offs + struct.calcsize(f"{order}IQ")
                return self._end(start, item, length, order) - orig_offs, [], [], [GGUFValueType.ARRAY]
        parts: tuple[int, list[Any], list[int], list[GGUFValueType]] = super()._get_field_parts(orig_offs, raw_type)
        return parts

    def _end(self, start: int, item: int, length: int, order: str) -> int:
        """Where a list of `length` items ends."""
        if item != GGUFValueType.STRING:
            return int(start + length * self.gguf_scalar_to_np[GGUFValueType(item)]().nbytes)
        size = struct.Struct(f"{order}Q")
        data, offset = self.data.data, start
        for _ in range(length):
            offset += size.size + size.unpack_from(data, offset)[0]
        return offset
