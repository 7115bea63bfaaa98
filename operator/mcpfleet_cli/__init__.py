"""The command line, `mcpfleet`."""
