"""Azure Kubernetes Service."""

from typing import Final

from mcpfleet_operator.clouds.profile import CloudProfile

AKS: Final = CloudProfile(
    name="AKS",
    accelerator_labels=(
        # Node pools say whose accelerators they have and not which; a pool's nodeSelector can say more.
        (("kubernetes.azure.com/accelerator", "{vendor}"),),
        (("accelerator", "{vendor}"),),
        # Node auto-provisioning.
        (("karpenter.azure.com/sku-gpu-manufacturer", "{vendor}"), ("karpenter.azure.com/sku-gpu-name", "{type}")),
    ),
    accelerator_tolerations=((("key", "sku"), ("operator", "Equal"), ("value", "gpu"), ("effect", "NoSchedule")),),
    spot_labels=(
        (("kubernetes.azure.com/scalesetpriority", "spot"),),
        (("kubernetes.azure.com/priority", "spot"),),
        (("karpenter.sh/capacity-type", "spot"),),
    ),
    spot_tolerations=(
        (
            ("key", "kubernetes.azure.com/scalesetpriority"),
            ("operator", "Equal"),
            ("value", "spot"),
            ("effect", "NoSchedule"),
        ),
    ),
    identity="azure",
    bucket="azure_blob",
)
