"""The MCPFleet API: the types that both planes share. A leaf: it imports no other package of ours."""
