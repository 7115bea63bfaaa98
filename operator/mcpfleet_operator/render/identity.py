"""ServiceAccounts, and the cloud identity that the trusted one stands for."""

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from typing import Final

from mcpfleet_api.identity import Identity
from mcpfleet_operator.clouds.profile import IdentityKind
from mcpfleet_operator.render.target import Manifest, Target


@dataclass(frozen=True)
class Binding:
    """What a cloud looks for to give pods its identity: always a token of an hour, never a key."""

    account_annotations: Mapping[str, str] = field(default_factory=dict[str, str])
    pod_labels: Mapping[str, str] = field(default_factory=dict[str, str])
    pod_annotations: Mapping[str, str] = field(default_factory=dict[str, str])


def binding(target: Target) -> Binding | None:
    """How trusted pods get the identity of the cloud that they are in; None when they have none."""
    kind = target.profile.identity
    return _BINDINGS[kind](target.spec.identity) if kind else None


def account_name(target: Target, *, trusted: bool) -> str:
    """The ServiceAccount of trusted or untrusted pods."""
    if not trusted:
        return target.part("untrusted")
    return target.spec.identity.service_account_name or target.name


def service_accounts(target: Target) -> list[Manifest]:
    """One for trusted pods and, where a pool is not trusted, one that stands for nothing."""
    bound = binding(target)
    trusted = _account(target, account_name(target, trusted=True), bound.account_annotations if bound else {})
    if all(group.is_trusted for group in target.groups):
        return [trusted]
    return [trusted, _account(target, account_name(target, trusted=False), {})]


def _account(target: Target, name: str, annotations: Mapping[str, str]) -> Manifest:
    # Pods that need the API's token say so themselves.
    return target.manifest("v1", "ServiceAccount", name, {"automountServiceAccountToken": False}, annotations)


def _azure(identity: Identity) -> Binding | None:
    if identity.azure is None:
        return None
    annotations = {"azure.workload.identity/client-id": identity.azure.client_id}
    if identity.azure.tenant_id:
        annotations["azure.workload.identity/tenant-id"] = identity.azure.tenant_id
    shared = {"azure.workload.identity/use-identity-binding": "true"} if identity.azure.identity_binding else {}
    return Binding(annotations, {"azure.workload.identity/use": "true"}, shared)


def _aws(identity: Identity) -> Binding | None:
    if identity.aws is None:
        return None
    if identity.aws.role_arn is None:
        return Binding()  # Pod Identity: the association lies on AWS's side
    return Binding(
        {
            "eks.amazonaws.com/role-arn": identity.aws.role_arn,
            "eks.amazonaws.com/sts-regional-endpoints": "true",
        }
    )


def _gcp(identity: Identity) -> Binding | None:
    if identity.gcp is None:
        return None
    if identity.gcp.service_account is None:
        return Binding()  # the ServiceAccount is a principal by itself
    return Binding({"iam.gke.io/gcp-service-account": identity.gcp.service_account})


_BINDINGS: Final[Mapping[IdentityKind, Callable[[Identity], Binding | None]]] = {
    "azure": _azure,
    "aws": _aws,
    "gcp": _gcp,
}
