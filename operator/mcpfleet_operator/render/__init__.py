"""Desired state as pure functions: facts in, manifests out, no I/O."""
