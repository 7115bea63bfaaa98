"""The gateway: who may call a fleet, how often, and under which address."""

from enum import StrEnum
from typing import Annotated, ClassVar, Literal

from pydantic import Field, StringConstraints

from mcpfleet_api.base import (
    Annotations,
    Bool,
    Duration,
    Int,
    Keyed,
    Model,
    Name,
    ObjectName,
    Shape,
    ShortText,
)
from mcpfleet_api.rules import at_most_one_of

Hostname = Annotated[
    str,
    StringConstraints(min_length=1, max_length=253),
    Shape(
        r"^(\*\.)?[a-z0-9]([-a-z0-9.]*[a-z0-9])?$",
        'is no host name; write it without scheme or port, such as "mcp.example.com"',
    ),
]
HttpsUrl = Annotated[
    str,
    StringConstraints(max_length=2048),
    Shape(r"^https://[!-~]+$", 'is no HTTPS address; write it such as "https://login.example.com"'),
]
Origin = Annotated[
    str,
    StringConstraints(max_length=300),
    Shape(r"^https?://[!-.0-~]+$", 'is no origin; write scheme and host, such as "https://app.example.com"'),
]


class Oidc(Model):
    """Callers bring a JWT of an OpenID Connect issuer."""

    issuer: HttpsUrl = Field(description="The issuer, as the token's `iss` has it.")
    audiences: Annotated[tuple[ShortText, ...], Field(min_length=1, max_length=16)] = Field(
        description="Values of `aud`, of which the token must carry one."
    )
    jwks_url: HttpsUrl | None = Field(
        default=None, alias="jwksURL", description="Where the keys are; left out, as the issuer's discovery says."
    )
    required_scopes: Annotated[tuple[ShortText, ...], Field(max_length=16)] = Field(
        default=(), description="Scopes that every token must carry."
    )
    principal_claim: ShortText = Field(default="sub", description="The claim that names the caller.")
    groups_claim: ShortText = Field(default="groups", description="The claim that lists the caller's groups.")


class ApiKeys(Model):
    """Callers bring `Authorization: Bearer <key>`."""

    secret_name: ObjectName = Field(
        description="Secret with the keys: each entry's name is the caller's, its value the key."
    )


class Auth(Model):
    """Who may call. With both, either lets a caller in; with neither, everyone may call."""

    oidc: Oidc | None = Field(default=None, description="Tokens of an OpenID Connect issuer.")
    api_keys: ApiKeys | None = Field(default=None, description="Keys from a Secret.")


class LimitScope(StrEnum):
    """What a rate limit counts together."""

    FLEET = "Fleet"
    PRINCIPAL = "Principal"


class RateLimit(Model):
    """At most so many tool calls in an interval. A call over the limit is answered with HTTP 429."""

    name: Name = Field(description="Its name, in answers and metrics.")
    per: LimitScope = Field(default=LimitScope.PRINCIPAL, description="What it counts together.")
    server: Name | None = Field(default=None, description="Only calls to this server; left out, all.")
    calls: Annotated[Int, Field(ge=1, le=1_000_000)] = Field(description="Calls that an interval allows.")
    interval: Duration = Field(default="1m", description="Length of the interval.")


class Aggregate(Model):
    """The one endpoint `/mcp` that offers the tools of all servers."""

    enabled: Bool = Field(default=True, description="Serve it.")


class ServiceExposure(Model):
    """A Kubernetes Service."""

    type: Literal["ClusterIP", "LoadBalancer", "NodePort"] = Field(
        default="ClusterIP", description="Type of the Service."
    )
    port: Annotated[Int, Field(ge=1, le=65_535)] = Field(default=80, description="Port of the Service.")
    annotations: Annotations = Field(default={}, description="Annotations, such as those of a load balancer.")


class IngressExposure(Model):
    """An Ingress."""

    host: Hostname = Field(description="Host name of the fleet.")
    class_name: ObjectName | None = Field(default=None, description="IngressClass; left out, the default one.")
    tls_secret_name: ObjectName | None = Field(
        default=None, description="Secret with the certificate; left out, plain HTTP."
    )
    annotations: Annotations = Field(default={}, description="Annotations, such as cert-manager's issuer.")


class ParentRef(Model):
    """A Gateway to attach to."""

    name: ObjectName = Field(description="Name of the Gateway.")
    namespace: ObjectName | None = Field(default=None, description="Its namespace; left out, the fleet's.")
    section_name: ShortText | None = Field(default=None, description="One of its listeners; left out, all.")


class HttpRouteExposure(Model):
    """An HTTPRoute of the Gateway API."""

    parent_refs: Annotated[tuple[ParentRef, ...], Field(min_length=1, max_length=8)] = Field(
        description="Gateways to attach to."
    )
    hostnames: Annotated[tuple[Hostname, ...], Field(max_length=8)] = Field(
        default=(), description="Host names of the fleet; left out, those of the Gateway."
    )
    annotations: Annotations = Field(default={}, description="Annotations of the route.")


class Expose(Model):
    """How clients reach the fleet: at most one of service, ingress and httpRoute."""

    rules: ClassVar = (at_most_one_of("service", "ingress", "httpRoute"),)

    service: ServiceExposure | None = Field(default=None, description="Through a Service alone.")
    ingress: IngressExposure | None = Field(default=None, description="Through an Ingress.")
    http_route: HttpRouteExposure | None = Field(default=None, description="Through a Gateway API route.")


class Gateway(Model):
    """The fleet's door for clients."""

    auth: Auth = Field(default=Auth(), description="Who may call.")
    rate_limits: Annotated[tuple[RateLimit, ...], Field(max_length=32), Keyed()] = Field(
        default=(), description="How often."
    )
    aggregate: Aggregate = Field(default=Aggregate(), description="The endpoint `/mcp` over all servers.")
    expose: Expose = Field(
        default=Expose(), description="How clients reach it; left out, a ClusterIP Service of the fleet's name."
    )
    allowed_hosts: Annotated[tuple[Hostname, ...], Field(max_length=32)] = Field(
        default=(), description="Values of the Host header to accept; left out, any. Guards against DNS rebinding."
    )
    allowed_origins: Annotated[tuple[Origin, ...], Field(max_length=32)] = Field(
        default=(), description="Values of the Origin header to accept beside those of an allowed host."
    )
