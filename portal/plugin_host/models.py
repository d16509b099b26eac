"""What operators chose for plugins: on or off, and settings with every version kept."""

from datetime import datetime
from typing import Any

from sqlalchemy import Text
from sqlalchemy.dialects.postgresql import JSONB
from sqlalchemy.orm import Mapped, mapped_column

from portal.core.clock import utc_now
from portal.core.db import Base


class PluginSwitch(Base):
    """Whether a provider may be used for new trades.

    A row appears when a provider is first seen and stays when its package is gone: rules that
    are switched on but can't be asked must hold trades, not let them pass. `kind` is
    `payment_gateway`, `fee_model` or `compliance_rules`; `plugin` names the entry point.
    """

    __tablename__ = "plugin_switch"

    slug: Mapped[str] = mapped_column(Text, primary_key=True)
    kind: Mapped[str] = mapped_column(Text)
    plugin: Mapped[str] = mapped_column(Text)
    enabled: Mapped[bool]


class PluginSetting(Base):
    """One version of a plugin's settings in one scope ('' is everywhere). The newest counts."""

    __tablename__ = "plugin_setting"

    slug: Mapped[str] = mapped_column(Text, primary_key=True)
    scope: Mapped[str] = mapped_column(Text, primary_key=True)
    version: Mapped[int] = mapped_column(primary_key=True, autoincrement=False)
    data: Mapped[dict[str, Any]] = mapped_column(JSONB)
    changed_by: Mapped[str] = mapped_column(Text)
    at: Mapped[datetime] = mapped_column(default=utc_now)
