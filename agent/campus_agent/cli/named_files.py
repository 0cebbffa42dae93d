"""What `campus-agent check-config` looks at beside the configuration itself: the files that it names. Not in the resident program."""

import ssl
from collections.abc import Callable, Iterator
from functools import partial
from pathlib import Path

from campus_agent.config.model import AgentConfig
from campus_agent.measure.equipment.profile import find_profile
from campus_agent.schedule.terms import terms_of
from campus_base.messages import Message, message
from campus_base.settings import ConfigurationError, Mistake, Secret, UnusableFile, read_secret, read_token

_NO_CERTIFICATES = message("no certificates (PEM) in it")


def errors_of_named_files(config: AgentConfig, source: Path) -> list[ConfigurationError]:
    """Every mistake in the terms, profiles, secrets and certificates that the configuration in `source` names.

    A file that is not there yet, or that only the service's user may read, is none: `doctor` shows it.
    """
    profiles = sorted({device.profile for device in config.devices})
    checks: list[Callable[[], object]] = [partial(terms_of, config)]
    checks += [partial(find_profile, name, config.profile_dir) for name in profiles]
    errors = []
    for check in checks:
        try:
            check()
        except ConfigurationError as error:
            errors.append(error)
    mistakes = list(_mistakes(config))
    return [*errors, ConfigurationError(str(source), mistakes)] if mistakes else errors


def _mistakes(config: AgentConfig) -> Iterator[Mistake]:
    """In secrets and certificates."""
    secrets: list[tuple[str, Path, Callable[[Path], Secret]]] = []
    if config.test_key_file:
        secrets.append(("agent.test_key_file", config.test_key_file, read_secret))
    if config.collector is not None:
        secrets.append(("collector.token_file", config.collector.token_file, read_token))
    secrets += [(f"device {device.id}", file, read_secret) for device in config.devices for file in device.secret_files]
    for key, file, read in secrets:
        try:
            read(file)
        except UnusableFile as error:
            yield _mistake(key, file, error.text)
        except (OSError, ValueError):
            continue
    authorities = config.collector.ca_file if config.collector is not None else None
    if authorities is not None and not _has_certificates(authorities):
        yield _mistake("collector.ca_file", authorities, _NO_CERTIFICATES)


def _has_certificates(file: Path) -> bool:
    """True as well where it cannot be read."""
    try:
        ssl.create_default_context(cafile=str(file))
    except ssl.SSLError:
        return False
    except (OSError, ValueError):
        pass
    return True


def _mistake(key: str, file: Path, text: Message) -> Mistake:
    return Mistake(key, message("{file}: {text}", file=file, text=text))
