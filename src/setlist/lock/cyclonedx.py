"""Export a lock as a software bill of materials: CycloneDX 1.6, JSON.

The output is reproducible: the serial number is derived from the lock, and there is no timestamp unless
SOURCE_DATE_EPOCH is set.
"""

from __future__ import annotations

import datetime
import json
import uuid
from collections.abc import Iterator
from typing import TYPE_CHECKING

from setlist import __version__
from setlist.core.errors import ConfigurationError, UsageError
from setlist.environment.requirement_lines import normalised
from setlist.lock.document import LockDocument, Pin, pins_of

if TYPE_CHECKING:
    from cyclonedx.model import HashType
    from cyclonedx.model.component import Component

_SERIALS = uuid.UUID("4c9d9f0e-0b47-5d5e-9d0f-2f6b1f3a7f11")
"""The namespace of the serial numbers (RFC 9562, version 5)."""


def as_cyclonedx(session: str, document: LockDocument, source_date_epoch: str | None) -> str:
    """The bill of materials of a session.

    Args:
        session: its name.
        document: its lock.
        source_date_epoch: seconds since 1970, for a timestamp.

    Raises:
        UsageError: the cyclonedx library isn't installed.
        ConfigurationError: ``source_date_epoch`` isn't a number.
    """
    try:
        from cyclonedx.model import Property
        from cyclonedx.model.bom import Bom, BomMetaData
        from cyclonedx.model.bom_ref import BomRef
        from cyclonedx.model.component import Component, ComponentType
        from cyclonedx.model.tool import ToolRepository
        from cyclonedx.output.json import JsonV1Dot6
    except ImportError as error:
        raise UsageError(
            f"CycloneDX needs a library that isn't installed ({error.name})",
            hint="python -m pip install 'setlist[cyclonedx]'",
        ) from error
    root = Component(
        name=session,
        type=ComponentType.APPLICATION,
        bom_ref=BomRef(f"session:{session}"),
        properties=[Property(name="setlist:python", value=document.python)],
    )
    components = [_component(pin) for pin in dict.fromkeys(pins_of(document.body))]
    setlist = Component(name="setlist", version=__version__, type=ComponentType.APPLICATION)
    bom = Bom(
        components=components,
        serial_number=uuid.uuid5(
            _SERIALS, f"{__version__}\0{session}\0{document.python}\0{document.body}\0{source_date_epoch}"
        ),
        metadata=BomMetaData(
            component=root, tools=ToolRepository(components=[setlist]), timestamp=_time(source_date_epoch)
        ),
    )
    # The root depends on all: a lock doesn't say which package requires which
    bom.register_dependency(root, components)
    data = json.loads(JsonV1Dot6(bom).output_as_string())
    if source_date_epoch is None:
        data["metadata"].pop("timestamp", None)
    return json.dumps(data, indent=2, sort_keys=True) + "\n"


def _component(pin: Pin) -> Component:
    from cyclonedx.model import ExternalReference, ExternalReferenceType, Property, XsUri
    from cyclonedx.model.bom_ref import BomRef
    from cyclonedx.model.component import Component, ComponentScope, ComponentType
    from packageurl import PackageURL

    name = normalised(pin.name)
    qualifiers = {}
    references = []
    if pin.version is None and pin.url is not None:
        is_vcs = "+" in pin.url.partition("://")[0]
        qualifiers = {"vcs_url" if is_vcs else "download_url": pin.url}
        kind = ExternalReferenceType.VCS if is_vcs else ExternalReferenceType.DISTRIBUTION
        references = [ExternalReference(type=kind, url=XsUri(pin.url))]
    purl = PackageURL("pypi", None, name, pin.version, qualifiers)
    reference = f"{purl}#{pin.marker}" if pin.marker else str(purl)
    return Component(
        name=name,
        version=pin.version,
        type=ComponentType.LIBRARY,
        scope=ComponentScope.REQUIRED,
        purl=purl,
        bom_ref=BomRef(reference),
        hashes=list(_hashes(pin)),
        external_references=references,
        properties=[Property(name="setlist:marker", value=pin.marker)] if pin.marker else [],
    )


def _hashes(pin: Pin) -> Iterator[HashType]:
    from cyclonedx.model import HashAlgorithm, HashType

    algorithms = {algorithm.value.replace("-", "").lower(): algorithm for algorithm in HashAlgorithm}
    for entry in pin.hashes:
        name, _, value = entry.partition(":")
        if name in algorithms:
            yield HashType(alg=algorithms[name], content=value)


def _time(source_date_epoch: str | None) -> datetime.datetime:
    try:
        return datetime.datetime.fromtimestamp(int(source_date_epoch or 0), tz=datetime.timezone.utc)
    except (ValueError, OverflowError, OSError) as error:
        raise ConfigurationError(
            f"SOURCE_DATE_EPOCH={source_date_epoch}: not a number of seconds since 1970"
        ) from error
