"""DigitalOcean Kubernetes."""

from typing import Final

from mcpfleet_operator.clouds.profile import CloudProfile

DOKS: Final = CloudProfile(
    name="DigitalOcean",
    accelerator_labels=(
        (("doks.digitalocean.com/gpu-brand", "{vendor}"), ("doks.digitalocean.com/gpu-model", "{type}")),
    ),
)
