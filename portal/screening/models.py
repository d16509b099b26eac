"""Tables: the lists as imported, and who is on them."""

from sqlalchemy import ForeignKey, Text
from sqlalchemy.dialects.postgresql import JSONB
from sqlalchemy.orm import Mapped, mapped_column

from portal.core.db import Base


class ScreeningList(Base):
    """A list as it was last imported. `version` counts its imports."""

    __tablename__ = "screening_list"

    name: Mapped[str] = mapped_column(Text, primary_key=True)
    version: Mapped[int]
    entries: Mapped[int]
    sha256: Mapped[str] = mapped_column(Text)
    imported_ms: Mapped[int]


class ScreeningEntry(Base):
    """Somebody or something on a list."""

    __tablename__ = "screening_entry"

    list_name: Mapped[str] = mapped_column(ForeignKey("screening_list.name"), primary_key=True)
    uid: Mapped[str] = mapped_column(Text, primary_key=True)
    kind: Mapped[str] = mapped_column(Text)
    names: Mapped[list[str]] = mapped_column(JSONB)
    addresses: Mapped[list[str]] = mapped_column(JSONB)
