"""A server that ends before it says a word."""

import sys

print("cannot find the database", file=sys.stderr)
sys.exit(3)
