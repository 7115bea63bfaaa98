"""Hetzner, with the labels of NVIDIA's GPU feature discovery."""

from typing import Final

from mcpfleet_operator.clouds.profile import CloudProfile

HETZNER: Final = CloudProfile(
    name="Hetzner",
    accelerator_labels=((("{resource}.product", "{type}"),),),
)
