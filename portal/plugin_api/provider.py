"""What every provider has: a slug, a label, and settings that it declares as a pydantic model."""

from abc import ABC
from typing import Any, ClassVar

from pydantic import BaseModel, ConfigDict


class ProviderSettings(BaseModel):
    """Base of a provider's settings.

    Unknown keys are refused and values never change under the provider's hands. A field's
    `title` and `description` become its label and help text in the back office; its default is
    what a fresh installation runs with, so every field needs one.
    """

    model_config = ConfigDict(extra="forbid", frozen=True)


class Provider(ABC):
    """Base of gateways, fee models and compliance rules.

    Attributes:
        slug: lower-case letters, digits and underscores; unique on an installation; stored with
            trades, so it never changes.
        label: what people read.
        settings_model: the settings that this provider wants; methods get a valid instance.
    """

    slug: ClassVar[str]
    label: ClassVar[str]
    settings_model: ClassVar[type[ProviderSettings]] = ProviderSettings

    def default_settings(self) -> ProviderSettings:
        """The settings before anybody saved any."""
        return self.settings_model()

    def settings_schema(self) -> dict[str, Any]:
        """JSON Schema of the settings, from which a form is drawn."""
        return self.settings_model.model_json_schema()
