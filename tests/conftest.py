"""What all tests share."""

pytest_plugins = ["cluster.fixtures"]
