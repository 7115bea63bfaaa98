"""Amazon Elastic Kubernetes Service."""

from typing import Final

from mcpfleet_operator.clouds.profile import CloudProfile, Endpoint

EKS: Final = CloudProfile(
    name="EKS",
    accelerator_labels=(
        (("k8s.amazonaws.com/accelerator", "{type}"),),
        # Karpenter, and EKS Auto Mode.
        (("karpenter.k8s.aws/instance-gpu-name", "{type}"),),
        (("eks.amazonaws.com/instance-gpu-name", "{type}"),),
    ),
    spot_labels=(
        (("eks.amazonaws.com/capacityType", "SPOT"),),
        (("karpenter.sh/capacity-type", "spot"),),
    ),
    identity="aws",
    # The agent of Pod Identity. IRSA asks STS, over HTTPS.
    identity_endpoints=(Endpoint("169.254.170.23/32", 80), Endpoint("fd00:ec2::23/128", 80)),
    bucket="s3",
)
