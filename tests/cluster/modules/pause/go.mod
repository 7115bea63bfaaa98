module mcpfleet.dev/tests/cluster/pause

go 1.24
