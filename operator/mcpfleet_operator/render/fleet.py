"""Everything that the operator applies for one fleet in one cluster."""

from mcpfleet_api.rules import Fault
from mcpfleet_operator.render.disruption import disruption_budget
from mcpfleet_operator.render.front import http_route, ingress, service
from mcpfleet_operator.render.identity import service_accounts
from mcpfleet_operator.render.monitoring import pod_monitor
from mcpfleet_operator.render.network import network_policies
from mcpfleet_operator.render.rayservice import ray_service
from mcpfleet_operator.render.refusals import refusals
from mcpfleet_operator.render.target import Manifest, Target
from mcpfleet_operator.render.volumes import storage_objects


class Refused(Exception):
    """The fleet asks for what cannot be, each with its place in the object and the reason."""

    def __init__(self, faults: tuple[Fault, ...]) -> None:
        super().__init__("; ".join(fault.message for fault in faults))
        self.faults = faults


def render(target: Target) -> list[Manifest]:
    """The objects, in the order in which they must be applied.

    ServiceAccounts come first: EKS looks them up when a pod is made, KubeRay when it makes the autoscaler's role.
    Policies and volumes come before the pods that they are for. The Secret of `secrets.ray_token` is not among
    them, since its content is not to be made anew; it comes before the RayService, too.

    Raises:
        Refused: with everything that stands against it.
    """
    faults = refusals(target)
    if faults:
        raise Refused(faults)
    objects = [
        *service_accounts(target),
        *storage_objects(target),
        *network_policies(target),
        service(target),
        ray_service(target),
        disruption_budget(target),
        ingress(target),
        http_route(target),
        pod_monitor(target),
    ]
    return [each for each in objects if each is not None]
