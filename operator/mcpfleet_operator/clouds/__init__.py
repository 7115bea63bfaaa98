"""What is particular to each cloud, as data. No other module asks which cloud it is on."""

from collections.abc import Mapping
from types import MappingProxyType
from typing import Final

from mcpfleet_api.base import Cloud
from mcpfleet_operator.clouds.aks import AKS
from mcpfleet_operator.clouds.doks import DOKS
from mcpfleet_operator.clouds.eks import EKS
from mcpfleet_operator.clouds.generic import GENERIC
from mcpfleet_operator.clouds.gke import GKE
from mcpfleet_operator.clouds.hetzner import HETZNER
from mcpfleet_operator.clouds.profile import CloudProfile

PROFILES: Final[Mapping[Cloud, CloudProfile]] = MappingProxyType(
    {
        Cloud.AKS: AKS,
        Cloud.EKS: EKS,
        Cloud.GKE: GKE,
        Cloud.DOKS: DOKS,
        Cloud.HETZNER: HETZNER,
        Cloud.GENERIC: GENERIC,
    }
)
