"""An MCP server in plain Python, hosted inside the fleet: `python: {app: "primes:build"}`."""

from typing import Annotated

from mcp.server import MCPServer
from pydantic import BaseModel, Field

# Bounds keep every answer within milliseconds: a server in process shares its host with others.
LARGEST = 10**10
LARGEST_LIST = 10_000

Natural = Annotated[int, Field(ge=1, le=LARGEST, description="A whole number from 1 to 10^10.")]


class PrimeFactor(BaseModel):
    """One prime factor and how often it divides the number."""

    prime: int
    exponent: int


class Factorization(BaseModel):
    """A number as the product of its prime factors, smallest first."""

    number: int
    factors: list[PrimeFactor]


class Primes(BaseModel):
    """The primes up to a limit."""

    count: int
    primes: list[int]


def is_prime(number: Natural) -> bool:
    """Tell whether a number is prime."""
    return number > 1 and _smallest_divisor(number) == number


def factorize(number: Natural) -> Factorization:
    """Take a number apart into its prime factors."""
    factors: list[PrimeFactor] = []
    rest = number
    while rest > 1:
        prime = _smallest_divisor(rest)
        exponent = 0
        while rest % prime == 0:
            rest //= prime
            exponent += 1
        factors.append(PrimeFactor(prime=prime, exponent=exponent))
    return Factorization(number=number, factors=factors)


def primes_up_to(
    limit: Annotated[int, Field(ge=1, le=LARGEST_LIST, description="A whole number from 1 to 10,000.")],
) -> Primes:
    """List all primes up to a limit."""
    sieve = bytearray([1]) * (limit + 1)
    sieve[:2] = b"\0\0"
    for number in range(2, int(limit**0.5) + 1):
        if sieve[number]:
            sieve[number * number :: number] = bytes(len(range(number * number, limit + 1, number)))
    primes = [number for number, prime in enumerate(sieve) if prime]
    return Primes(count=len(primes), primes=primes)


def _smallest_divisor(number: int) -> int:
    if number % 2 == 0:
        return 2
    divisor = 3
    while divisor * divisor <= number:
        if number % divisor == 0:
            return divisor
        divisor += 2
    return number


def build() -> MCPServer:
    """The server, made anew for each host that runs it."""
    server = MCPServer("primes", instructions="Exact answers about prime numbers, so that a model need not guess.")
    for tool in (is_prime, factorize, primes_up_to):
        server.add_tool(tool)
    return server
