"""Observability: metrics, traces, logs and the audit trail of a fleet."""

from enum import StrEnum
from typing import Annotated

from pydantic import Field, StringConstraints

from mcpfleet_api.base import Bool, Duration, Labels, Model, Number, Shape


class PodMonitor(Model):
    """A PodMonitor for the Prometheus operator."""

    enabled: Bool = Field(default=False, description="Make one; needs the Prometheus operator's CRDs.")
    labels: Labels = Field(default={}, description="Labels that your Prometheus selects PodMonitors by.")
    interval: Duration = Field(default="30s", description="Time between scrapes.")


class Tracing(Model):
    """OpenTelemetry traces of MCP calls."""

    endpoint: Annotated[
        str,
        StringConstraints(max_length=2048),
        Shape(r"^https?://[!-~]+$", 'is no HTTP address; write it such as "http://otel-collector:4318"'),
    ] = Field(description="Address of an OTLP collector, over HTTP.")
    sampling_ratio: Annotated[Number, Field(ge=0, le=1)] = Field(
        default=0.1, description="Share of the calls that are traced, unless the caller decided."
    )
    tool_payloads: Bool = Field(
        default=False, description="Record arguments and results of tools, which may hold personal data."
    )


class LogFormat(StrEnum):
    """How a line of the log looks."""

    JSON = "Json"
    TEXT = "Text"


class LogLevel(StrEnum):
    """From which weight on lines are written."""

    DEBUG = "Debug"
    INFO = "Info"
    WARNING = "Warning"
    ERROR = "Error"


class Logs(Model):
    """What is logged, and how."""

    format: LogFormat = Field(default=LogFormat.JSON, description="How a line looks.")
    level: LogLevel = Field(default=LogLevel.INFO, description="From which weight on.")
    collector: Bool = Field(
        default=False,
        description="Run a Fluent Bit beside each Ray container that writes Ray's log files to stdout.",
    )
    audit: Bool = Field(
        default=False, description="Write one line per tool call: who, what, the decision, how long."
    )


class Observability(Model):
    """What a fleet shows of itself."""

    pod_monitor: PodMonitor = Field(default=PodMonitor(), description="Metrics for the Prometheus operator.")
    tracing: Tracing | None = Field(default=None, description="Traces; left out, none.")
    logs: Logs = Field(default=Logs(), description="Logs.")
