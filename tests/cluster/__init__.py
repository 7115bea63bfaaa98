"""Real Kubernetes clusters for the tests, on whatever machine they run; see README.md."""
