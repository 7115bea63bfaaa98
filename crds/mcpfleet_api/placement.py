"""Placement: which member clusters run a fleet, and what happens when one is lost."""

from collections.abc import Iterator
from enum import StrEnum
from typing import Annotated, ClassVar, Final

from pydantic import Field

from mcpfleet_api.base import Duration, Int, LabelKey, Labels, LabelValue, Model
from mcpfleet_api.rules import Fault, Rule, View


class SelectorOperator(StrEnum):
    """How a label is compared."""

    IN = "In"
    NOT_IN = "NotIn"
    EXISTS = "Exists"
    DOES_NOT_EXIST = "DoesNotExist"


def _faults_of_requirement(requirement: View) -> Iterator[Fault]:
    operator, values = requirement.get("operator"), requirement.get("values")
    if not isinstance(values, list | tuple):
        return
    if operator in ("In", "NotIn") and not values:
        yield Fault((), f"operator {operator} needs values")
    if operator in ("Exists", "DoesNotExist") and values:
        yield Fault(("values",), f"operator {operator} takes no values")


VALUES_FIT_THE_OPERATOR: Final = Rule(
    "operators In and NotIn need values, Exists and DoesNotExist take none",
    "(self.operator in ['In', 'NotIn']) == (size(self.values) > 0)",
    _faults_of_requirement,
)


class LabelRequirement(Model):
    """One condition on a label."""

    rules: ClassVar = (VALUES_FIT_THE_OPERATOR,)

    key: LabelKey = Field(description="Key of the label.")
    operator: SelectorOperator = Field(description="How it is compared.")
    values: Annotated[tuple[LabelValue, ...], Field(max_length=32)] = Field(
        default=(), description="Values to compare with."
    )


class ClusterSelector(Model):
    """Chooses MCPClusters by their labels. Empty chooses all."""

    match_labels: Labels = Field(default={}, description="Labels that a cluster must have.")
    match_expressions: Annotated[tuple[LabelRequirement, ...], Field(max_length=16)] = Field(
        default=(), description="Further conditions, all of which must hold."
    )


class PlacementMode(StrEnum):
    """How many clusters carry the fleet at a time."""

    ACTIVE_PASSIVE = "ActivePassive"
    ACTIVE_ACTIVE = "ActiveActive"
    SPILLOVER = "Spillover"


class Failover(Model):
    """When another cluster takes over."""

    after: Duration = Field(
        default="60s",
        description="How long an unreachable cluster may take to come back before another takes over.",
    )
    spillover_after: Duration = Field(
        default="5m",
        description="For Spillover: how long pods may wait for capacity before another cluster helps.",
    )


class FailbackMode(StrEnum):
    """Who sends a fleet home."""

    AUTO = "Auto"
    MANUAL = "Manual"


class Failback(Model):
    """When a fleet goes back to the cluster that it left."""

    mode: FailbackMode = Field(default=FailbackMode.AUTO, description="Auto goes back by itself.")
    stable_for: Duration = Field(default="10m", description="How long the cluster must have been healthy.")


class Placement(Model):
    """Runs a fleet in member clusters rather than in the one that holds this object."""

    cluster_selector: ClusterSelector = Field(
        default=ClusterSelector(), description="MCPClusters that may run the fleet."
    )
    mode: PlacementMode = Field(
        default=PlacementMode.ACTIVE_PASSIVE,
        description=(
            "ActivePassive runs in the best cluster; ActiveActive in several; Spillover in the best, and in"
            " more while it lacks capacity."
        ),
    )
    max_clusters: Annotated[Int, Field(ge=1, le=64)] | None = Field(
        default=None, description="Most clusters at a time, for ActiveActive and Spillover; left out, all."
    )
    failover: Failover = Field(default=Failover(), description="When another cluster takes over.")
    failback: Failback = Field(default=Failback(), description="When a fleet goes back.")
