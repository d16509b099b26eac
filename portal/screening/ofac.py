"""Reading OFAC's SDN.XML, as the Treasury publishes it: all in one default namespace, any."""

from collections.abc import Iterator
from pathlib import Path

from lxml import etree

from portal.core.errors import InvalidInput
from portal.screening.entries import ListEntry

_COIN = "Digital Currency Address"


def read(file: Path) -> list[ListEntry]:
    """Every entry. Raises InvalidInput for what is no SDN list, a broken one, or an empty one."""
    entries: list[ListEntry] = []
    try:
        # No entity is resolved and nothing is fetched: lists come from outside.
        for _, element in etree.iterparse(
            str(file), events=("end",), tag="{*}sdnEntry", resolve_entities=False, no_network=True
        ):
            entries.append(_entry(element))
            element.clear()
            while element.getprevious() is not None:
                del element.getparent()[0]
    except etree.XMLSyntaxError as error:
        raise InvalidInput(
            f"{file.name} is no well-formed XML: {error}", field="file", value=file.name
        ) from error
    except OSError as error:
        raise InvalidInput(f"{file} can't be read.", field="file", value=str(file)) from error
    if not entries:
        raise InvalidInput(
            f"{file.name} holds no sdnEntry: it is no SDN list, or an empty one.",
            field="file",
            value=file.name,
            hint="Download SDN.XML anew.",
        )
    return entries


def _entry(element: etree._Element) -> ListEntry:
    uid = _text(element, "uid")
    names = [_name(element), *(_name(aka) for aka in element.iterfind("{*}akaList/{*}aka"))]
    kept = tuple(dict.fromkeys(name for name in names if name))
    if not uid or not kept:
        raise InvalidInput(
            f"The sdnEntry in line {element.sourceline} has no uid or no name.",
            field="file",
            value=element.sourceline,
        )
    return ListEntry(uid, _text(element, "sdnType"), kept, tuple(_addresses(element)))


def _name(element: etree._Element) -> str:
    return f"{_text(element, 'firstName')} {_text(element, 'lastName')}".strip()


def _addresses(element: etree._Element) -> Iterator[str]:
    for item in element.iterfind("{*}idList/{*}id"):
        if _text(item, "idType").startswith(_COIN) and (number := _text(item, "idNumber")):
            yield number


def _text(element: etree._Element, name: str) -> str:
    return (element.findtext(f"{{*}}{name}") or "").strip()
