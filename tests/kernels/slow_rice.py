"""Rice tiles bit by bit, as the standard has it."""

import numpy as np

_CODES = {1: (3, 7), 2: (4, 15), 4: (5, 26)}


class DamagedError(Exception):
    """The bits end too early, or mean nothing."""


class Bits:
    """Bits that are taken from the front."""

    def __init__(self, content):
        self.text = "".join(f"{byte:08b}" for byte in content)
        self.at = 0

    def take(self, number):
        if self.at + number > len(self.text):
            raise DamagedError
        taken = self.text[self.at : self.at + number]
        self.at += number
        return int(taken or "0", 2)

    def zeros(self):
        one = self.text.find("1", self.at)
        if one < 0:
            raise DamagedError
        number = one - self.at
        self.at = one + 1
        return number


def decode(content, size, block, dtype):
    """Pixels of a tile, or None where it is damaged."""
    kind = np.dtype(dtype)
    width, (code_bits, whole) = kind.itemsize, _CODES[kind.itemsize]
    bits, pixels = Bits(content), []
    try:
        last = bits.take(8 * width)
        while len(pixels) < size:
            code = bits.take(code_bits)
            if code > whole:
                return None
            for _ in range(min(block, size - len(pixels))):
                if code == 0:
                    mapped = 0
                elif code == whole:
                    mapped = bits.take(8 * width)
                else:
                    mapped = (bits.zeros() << (code - 1) | bits.take(code - 1)) % (1 << 32)
                last += -(mapped // 2) - 1 if mapped % 2 else mapped // 2
                pixels.append(last % (1 << 8 * width))
    except DamagedError:
        return None
    if len(bits.text) - bits.at >= 8:
        return None
    return np.array(pixels, f"u{width}").view(kind)


def encode(pixels, block, codes=None):
    """A tile of pixels; ``codes`` are those of its blocks, else ones that make it short."""
    width = pixels.dtype.itemsize
    code_bits, whole = _CODES[width]
    wrap = 1 << 8 * width
    values = [int(value) for value in pixels.view(f"u{width}")]
    text = f"{values[0]:0{8 * width}b}"
    last = values[0]
    for number, first in enumerate(range(0, len(values), block)):
        mapped = []
        for value in values[first : first + block]:
            difference = (value - last + wrap // 2) % wrap - wrap // 2
            mapped.append(2 * difference if difference >= 0 else -2 * difference - 1)
            last = value
        parts = {whole: "".join(f"{m:0{8 * width}b}" for m in mapped)}
        if not any(mapped):
            parts[0] = ""
        for low in range(whole - 1):
            if max(mapped) >> low < 200:
                parts[low + 1] = "".join(
                    "0" * (m >> low) + "1" + (f"{m % (1 << low):0{low}b}" if low else "")
                    for m in mapped
                )
        shortest = min(parts, key=lambda code: len(parts[code]))
        code = shortest if codes is None else codes[number]
        text += f"{code:0{code_bits}b}{parts[code]}"
    text += "0" * (-len(text) % 8)
    return bytes(int(text[at : at + 8], 2) for at in range(0, len(text), 8))
