"""The encoding of SSH (RFC 4251, section 5), read strictly: one way to write a value, and nothing after the last."""

from __future__ import annotations

from collections.abc import Iterable

_LENGTH = 4


class WireError(ValueError):
    """Bytes that are not written as SSH writes values; whoever reads them says of what."""


def string(value: bytes) -> bytes:
    """Bytes with their length in front."""
    return len(value).to_bytes(_LENGTH) + value


def strings(values: Iterable[bytes]) -> bytes:
    """Several, one after the other."""
    return b"".join(map(string, values))


def mpint(number: int) -> bytes:
    """A number from 0 on as `mpint`: as few bytes as it takes, of which the first bit is no sign."""
    return string(number.to_bytes(number.bit_length() // 8 + 1) if number else b"")


class Reader:
    """Takes one value after the other off some bytes. Each method raises `WireError`."""

    def __init__(self, given: bytes) -> None:
        self._given = given
        self._at = 0

    def take(self, count: int) -> bytes:
        """So many bytes."""
        end = self._at + count
        if end > len(self._given):
            raise WireError("it ends too early")
        found, self._at = self._given[self._at : end], end
        return found

    def number(self) -> int:
        """A whole number of four bytes."""
        return int.from_bytes(self.take(_LENGTH))

    def string(self) -> bytes:
        """Bytes that have their length in front."""
        return self.take(self.number())

    def word(self) -> str:
        """A name: printable ASCII without blanks."""
        found = self.string()
        if not found or any(not 0x21 <= byte <= 0x7E for byte in found):
            raise WireError("a name in it is none")
        return found.decode("ascii")

    def mpint(self, most: int) -> int:
        """A number above 0 of at most so many bits, written in as few bytes as it takes."""
        found = self.string()
        number = int.from_bytes(found)
        if not found or found[0] & 0x80 or not number or string(found) != mpint(number) or number.bit_length() > most:
            raise WireError("a number in it is not written as numbers are")
        return number

    def end(self) -> None:
        """Nothing follows."""
        if self._at != len(self._given):
            raise WireError(f"{len(self._given) - self._at} bytes follow that nobody asked for")
