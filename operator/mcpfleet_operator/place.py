"""Which member clusters host a fleet."""

from mcpfleet_api.fleet import MCPFleetSpec
from mcpfleet_api.names import LOCAL_CLUSTER
from mcpfleet_operator.world import Member, World


def place(spec: MCPFleetSpec, world: World) -> tuple[Member, ...]:
    """The clusters that host the fleet: the operator's own. A `placement` finds none, as there are no others."""
    if spec.placement is not None:
        return ()
    return tuple(member for member in world.members if member.name == LOCAL_CLUSTER)
