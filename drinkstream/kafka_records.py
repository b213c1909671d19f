"""A record as Kafka's log has it, and the partition that its key belongs to: what a producer does for every record.

The format is version 2 of Kafka's records (https://kafka.apache.org/documentation/#record); the hash of a key is that
of Kafka's own clients, so that a key lies in the same partition whoever sent it.
"""

from typing import Final

from mypy_extensions import i64

Headers = list[tuple[str, bytes]]

MULTIPLIER: Final = 0x5BD1E995  # of MurmurHash2, as is the shift of 24
SEED: Final = 0x9747B28C  # Kafka's
WORD: Final = 0xFFFFFFFF


def _long_varint(number: int) -> bytes:
    """An integer of 64 bits, zigzag, seven bits a byte, the lowest first."""
    left = number << 1 if number >= 0 else (-number << 1) - 1
    written = bytearray()
    while left > 0x7F:
        written.append(left & 0x7F | 0x80)
        left >>= 7
    written.append(left)
    return bytes(written)


VARINTS = [_long_varint(number) for number in range(8192)]  # those of one and two bytes


def varint(number: int) -> bytes:
    """An integer of 64 bits as Kafka writes it where it varies in length."""
    return VARINTS[number] if 0 <= number < 8192 else _long_varint(number)


def encoded(offset: int, delta_ms: int, key: bytes | None, value: bytes, headers: Headers) -> bytes:
    """The record at `offset` in its batch, `delta_ms` after the batch's first, with its length before it."""
    parts = [b"", b"\0", varint(delta_ms), varint(offset)]
    if key is None:
        parts.append(b"\1")  # a length of -1
    else:
        parts.append(varint(len(key)))
        parts.append(key)
    parts.append(varint(len(value)))
    parts.append(value)
    parts.append(varint(len(headers)))
    for name, said in headers:
        written = name.encode()
        parts.append(varint(len(written)))
        parts.append(written)
        parts.append(varint(len(said)))
        parts.append(said)
    length = 0
    for part in parts:
        length += len(part)
    parts[0] = varint(length)
    return b"".join(parts)


def murmur2(key: bytes) -> int:
    """Kafka's hash of a key: MurmurHash2 of 32 bits, unsigned."""
    length: i64 = len(key)
    whole: i64 = length & ~3
    found: i64 = SEED ^ length
    at: i64 = 0
    word: i64
    while at < whole:
        word = key[at] | key[at + 1] << 8 | key[at + 2] << 16 | key[at + 3] << 24
        word = word * MULTIPLIER & WORD
        word = (word ^ word >> 24) * MULTIPLIER & WORD
        found = found * MULTIPLIER & WORD ^ word
        at += 4
    if length > whole:
        while at < length:
            word = key[at]
            found ^= word << 8 * (at - whole)
            at += 1
        found = found * MULTIPLIER & WORD
    found = (found ^ found >> 13) * MULTIPLIER & WORD
    return found ^ found >> 15


def place_of(key: bytes, places: int) -> int:
    """Which of a topic's partitions, in the order of their numbers, a key belongs to."""
    return (murmur2(key) & 0x7FFFFFFF) % places
