"""Kubernetes quantities as numbers."""

from fractions import Fraction
from typing import Final

_UNITS: Final = {
    "m": Fraction(1, 1000),
    **{unit: Fraction(1000) ** power for power, unit in enumerate("kMGTP", 1)},
    **{f"{unit}i": Fraction(1024) ** power for power, unit in enumerate("KMGTP", 1)},
}


def number_of(quantity: str) -> Fraction:
    """The value of a quantity: "500m" is a half, "1Ki" is 1024."""
    digits = quantity.rstrip("kKMGTPim")
    return Fraction(digits) * _UNITS.get(quantity[len(digits) :], Fraction(1))


def bytes_of(quantity: str) -> int:
    """A quantity of memory or disk, in bytes."""
    return int(number_of(quantity))


def mebibytes_of(quantity: str) -> int:
    """A quantity of memory or disk, in whole MiB, at least one."""
    return max(1, bytes_of(quantity) // 1024**2)


def cores(count: float) -> str:
    """CPU cores as a quantity: 2, or 1500m."""
    return str(int(count)) if count == int(count) else f"{round(count * 1000)}m"
