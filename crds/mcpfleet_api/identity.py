"""Identity: the cloud account that a fleet's pods act as, without a key in any Secret."""

from typing import Annotated, ClassVar

from pydantic import Field, StringConstraints

from mcpfleet_api.base import Bool, Model, ObjectName, Shape
from mcpfleet_api.rules import exactly_one_of

Uuid = Annotated[
    str,
    StringConstraints(max_length=36),
    Shape(
        r"^[0-9a-fA-F]{8}(-[0-9a-fA-F]{4}){3}-[0-9a-fA-F]{12}$",
        'is no UUID; write it such as "00000000-0000-0000-0000-000000000000"',
    ),
]


class AzureIdentity(Model):
    """An Azure managed identity, through AKS workload identity."""

    client_id: Uuid = Field(alias="clientID", description="Client id of the managed identity.")
    tenant_id: Uuid | None = Field(
        default=None, alias="tenantID", description="Tenant; left out, the cluster's own."
    )
    identity_binding: Bool = Field(
        default=False, description="Use AKS identity bindings, which lift the limit of 20 clusters an identity."
    )


class PodIdentity(Model):
    """EKS Pod Identity: the association lies on AWS's side, so nothing needs to be said here."""


class AwsIdentity(Model):
    """An AWS role, through IRSA or EKS Pod Identity. Exactly one of the two."""

    rules: ClassVar = (exactly_one_of("roleARN", "podIdentity"),)

    role_arn: (
        Annotated[
            str,
            StringConstraints(max_length=2048),
            Shape(
                r"^arn:aws[-a-z]*:iam::[0-9]{12}:role/[A-Za-z0-9+=,.@_/-]+$",
                'is no role; write its ARN, such as "arn:aws:iam::123456789012:role/fleet"',
            ),
        ]
        | None
    ) = Field(default=None, alias="roleARN", description="Role that the ServiceAccount assumes (IRSA).")
    pod_identity: PodIdentity | None = Field(
        default=None, description="Use the EKS Pod Identity association that you made for the ServiceAccount."
    )


class GcpIdentity(Model):
    """A Google service account, through Workload Identity Federation for GKE."""

    service_account: (
        Annotated[
            str,
            StringConstraints(max_length=253),
            Shape(
                r"^[a-z]([-a-z0-9]*[a-z0-9])?@[a-z0-9][-a-z0-9.:]*\.iam\.gserviceaccount\.com$",
                'is no service account; write it such as "fleet@my-project.iam.gserviceaccount.com"',
            ),
        ]
        | None
    ) = Field(
        default=None,
        description="Google service account to impersonate; left out, the principal of the ServiceAccount itself.",
    )


class Identity(Model):
    """The ServiceAccount of the fleet's pods, and the cloud identity that it stands for."""

    service_account_name: ObjectName | None = Field(
        default=None, description="ServiceAccount to make and use; left out, it has the fleet's name."
    )
    azure: AzureIdentity | None = Field(default=None, description="On aks.")
    aws: AwsIdentity | None = Field(default=None, description="On eks.")
    gcp: GcpIdentity | None = Field(default=None, description="On gke.")
