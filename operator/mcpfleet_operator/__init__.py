"""The control plane: an MCPFleet becomes RayServices."""
