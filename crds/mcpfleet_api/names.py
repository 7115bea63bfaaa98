"""Labels, annotations, conditions and their reasons: every name that MCPFleet puts on objects."""

from enum import StrEnum
from typing import Final

from mcpfleet_api.base import GROUP

FIELD_MANAGER: Final = "mcpfleet-operator"
FINALIZER: Final = f"{GROUP}/drain"

FLEET_LABEL: Final = f"{GROUP}/fleet"
FLEET_UID_LABEL: Final = f"{GROUP}/fleet-uid"
SERVER_LABEL: Final = f"{GROUP}/server"
NODE_POOL_LABEL: Final = f"{GROUP}/node-pool"
CLUSTER_LABEL: Final = f"{GROUP}/cluster"

# An edit of its value makes the operator roll the fleet anew, as `kubectl rollout restart` does.
RESTARTED_AT_ANNOTATION: Final = f"{GROUP}/restarted-at"

# The cluster that the operator itself runs in, when no MCPCluster is chosen.
LOCAL_CLUSTER: Final = "local"


class FleetCondition(StrEnum):
    """Conditions of an MCPFleet, in the order in which they come true."""

    ACCEPTED = "Accepted"
    PLACED = "Placed"
    APPLIED = "Applied"
    VERIFIED = "Verified"
    READY = "Ready"
    # These two stand only while they are true.
    RECONCILING = "Reconciling"
    STALLED = "Stalled"


class ClusterCondition(StrEnum):
    """Conditions of an MCPCluster."""

    REACHABLE = "Reachable"
    READY = "Ready"


class Reason(StrEnum):
    """Why a condition has its status."""

    VALID = "Valid"
    INVALID_SPEC = "InvalidSpec"
    UNKNOWN_CLOUD_FIELD = "UnknownCloudField"

    CLUSTERS_CHOSEN = "ClustersChosen"
    NO_CLUSTER_MATCHES = "NoClusterMatches"
    NO_CLUSTER_HEALTHY = "NoClusterHealthy"
    NO_CAPACITY = "NoCapacity"
    HUB_CUT_OFF = "HubCutOff"

    OBJECTS_APPLIED = "ObjectsApplied"
    APPLY_REFUSED = "ApplyRefused"
    CLUSTER_UNREACHABLE = "ClusterUnreachable"
    KUBERAY_MISSING = "KubeRayMissing"

    HANDSHAKES_DONE = "HandshakesDone"
    SERVER_FAILED = "ServerFailed"
    NO_REPORT = "NoReport"

    SERVERS_READY = "ServersReady"
    NO_ENDPOINTS = "NoEndpoints"
    PROGRESSING = "Progressing"
    SPEC_CHANGED = "SpecChanged"
    DELETING = "Deleting"

    PROBE_SUCCEEDED = "ProbeSucceeded"
    PROBE_FAILED = "ProbeFailed"
    CREDENTIALS_REFUSED = "CredentialsRefused"
    CREDENTIALS_MISSING = "CredentialsMissing"
