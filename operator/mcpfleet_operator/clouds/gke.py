"""Google Kubernetes Engine."""

from typing import Final

from mcpfleet_operator.clouds.profile import CloudProfile, Endpoint

GKE: Final = CloudProfile(
    name="GKE",
    accelerator_labels=((("cloud.google.com/gke-accelerator", "{type}"),),),
    spot_labels=((("cloud.google.com/gke-spot", "true"),),),
    spot_tolerations=(
        (
            ("key", "cloud.google.com/gke-spot"),
            ("operator", "Equal"),
            ("value", "true"),
            ("effect", "NoSchedule"),
        ),
    ),
    identity="gcp",
    # The metadata server of Workload Identity: the one under Dataplane V2, the other without it.
    identity_endpoints=(Endpoint("169.254.169.254/32", 80), Endpoint("169.254.169.252/32", 988)),
    bucket="gcs",
)
