"""The data plane: Ray Serve applications that host MCP servers."""
