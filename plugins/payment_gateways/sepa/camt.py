"""Reading camt.053 (ISO 20022 bank-to-customer statement), versions 02 to 12, from strangers.

First expat walks the file and refuses a DTD (where entity bombs and external entities live),
deep nesting and broken XML, with the line. Only then is it parsed into pyiso20022's classes.
"""

import importlib
import re
from collections.abc import Iterable
from typing import Any
from xml.parsers import expat

from lxml import etree
from xsdata.exceptions import ConverterWarning, ParserError
from xsdata.formats.dataclass.parsers import XmlParser
from xsdata.formats.dataclass.parsers.config import ParserConfig
from xsdata.formats.dataclass.parsers.handlers import LxmlEventHandler

from plugins.payment_gateways.sepa.camt_lines import lines_of
from plugins.payment_gateways.sepa.refusal import refuse
from portal.plugin_api import InvalidInput, Statement

MAX_DEPTH = 40
MAX_ENTRIES = 50_000
_NAMESPACE = re.compile(r"urn:iso:std:iso:20022:tech:xsd:camt\.053\.001\.(0[2-9]|1[0-2])")


def parse(content: bytes, *, max_bytes: int) -> Statement:
    """The statement in `content`. Raises InvalidInput naming the line of what is wrong."""
    if len(content) > max_bytes:
        raise InvalidInput(
            f"The file has {len(content):,} bytes; at most {max_bytes:,} are read.",
            field="statement",
            hint="Export a shorter period, or raise the limit in the gateway's settings.",
        )
    _Guard().check(content)
    root = _tree(content)
    # Taken before: reading the document empties the tree.
    statements, entries = _line_numbers(root, "Stmt"), _line_numbers(root, "Ntry")
    body = _document(root).bk_to_cstmr_stmt
    lines = lines_of(body.stmt, statements, entries)
    return Statement(body.grp_hdr.msg_id, tuple(lines))


class _Guard:
    """One pass of expat that refuses what no bank sends."""

    def __init__(self) -> None:
        self._parser = expat.ParserCreate()
        self._parser.StartDoctypeDeclHandler = self._doctype
        self._parser.StartElementHandler = self._start
        self._parser.EndElementHandler = self._end
        self._depth = 0
        self._entries = 0

    def check(self, content: bytes) -> None:
        try:
            self._parser.Parse(content, True)
        except expat.ExpatError as error:
            raise refuse(error.lineno, f"it is not well-formed XML ({error})") from error

    def _doctype(self, *_: object) -> None:
        raise refuse(self._line, "it has a document type declaration (DTD)")

    def _start(self, name: str, _: object) -> None:
        self._depth += 1
        self._entries += name == "Ntry" or name.endswith(":Ntry")
        if self._depth > MAX_DEPTH:
            raise refuse(self._line, f"elements are nested more than {MAX_DEPTH} deep")
        if self._entries > MAX_ENTRIES:
            raise refuse(self._line, f"it has more than {MAX_ENTRIES:,} entries")

    def _end(self, _: str) -> None:
        self._depth -= 1

    @property
    def _line(self) -> int:
        return self._parser.CurrentLineNumber


def _tree(content: bytes) -> Any:
    parser = etree.XMLParser(
        resolve_entities=False, load_dtd=False, no_network=True, huge_tree=False,
        remove_comments=True, remove_pis=True,
    )  # fmt: skip
    try:
        return etree.fromstring(content, parser)
    except etree.XMLSyntaxError as error:
        raise refuse(error.lineno or 1, f"it is not well-formed XML ({error.msg})") from error


def _line_numbers(root: Any, name: str) -> list[int]:
    return [element.sourceline or 0 for element in root.iter(f"{{*}}{name}")]


class _LineKeeper(LxmlEventHandler):
    """Says on which line of the file a value did not fit."""

    def process_context(
        self, context: Iterable[tuple[str, Any]], ns_map: dict[str | None, str]
    ) -> Any:
        line = 1

        def watched() -> Iterable[tuple[str, Any]]:
            nonlocal line
            for event, element in context:
                line = getattr(element, "sourceline", None) or line
                yield event, element

        try:
            return super().process_context(watched(), ns_map)
        except (ParserError, ConverterWarning, TypeError, ValueError) as error:
            raise refuse(line, f"this does not fit camt.053: {error}") from error


def _document(root: Any) -> Any:
    name = etree.QName(root)
    version = _NAMESPACE.fullmatch(name.namespace or "")
    if version is None or name.localname != "Document":
        raise refuse(
            root.sourceline or 1,
            f"it is a <{name.localname}> of '{name.namespace}', not a camt.053 statement",
        )
    module = importlib.import_module(f"pyiso20022.camt.camt_053_001_{version.group(1)}")
    config = ParserConfig(fail_on_converter_warnings=True)
    return XmlParser(config=config, handler=_LineKeeper).parse(root, module.Document)
