"""Any other cluster, a laptop's among them: nothing is known of its nodes."""

from typing import Final

from mcpfleet_operator.clouds.profile import CloudProfile

GENERIC: Final = CloudProfile(name="a generic cluster")
