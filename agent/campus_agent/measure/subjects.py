"""The configured lines: which endpoint ends each, and of which segment it is. Pure."""

from campus_agent.config.model import AgentConfig, Endpoint
from campus_wire.records import Segment


def endpoints_of(config: AgentConfig) -> list[Endpoint]:
    """The classrooms in the order of the configuration, then the uplink."""
    return [*config.classrooms, *([config.uplink] if config.uplink else [])]


def endpoint_of(config: AgentConfig, subject: str) -> Endpoint:
    """The endpoint of a classroom, or of the uplink. Raises KeyError."""
    return {endpoint.id: endpoint for endpoint in endpoints_of(config)}[subject]


def segment_of(endpoint: Endpoint) -> Segment:
    """The segment that ends at this endpoint."""
    return "uplink" if endpoint.id == "uplink" else "classroom"
