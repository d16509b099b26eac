"""What holds for every provider."""

import json
import re
from typing import Any, ClassVar

import pytest
from pydantic import ValidationError

from portal.plugin_api import Provider, ProviderSettings

_SLUG = re.compile(r"[a-z][a-z0-9_]{1,39}")


class ProviderConformance:
    """Cases P01 to P05. Name your `provider`; `settings` are its own defaults unless you say."""

    provider: ClassVar[Provider]
    settings: ClassVar[ProviderSettings | None] = None

    @property
    def chosen(self) -> Any:
        """The settings that the cases run with."""
        return self.settings or self.provider.default_settings()

    def test_p01_slug_and_label(self) -> None:
        """The slug is 2 to 40 of a-z, 0-9, _, a letter first; the label is one line of text."""
        assert _SLUG.fullmatch(self.provider.slug)
        assert self.provider.label.strip()
        assert "\n" not in self.provider.label

    def test_p02_runs_on_its_defaults(self) -> None:
        """A fresh installation has no settings saved: every field needs a default."""
        assert isinstance(self.provider.default_settings(), self.provider.settings_model)

    def test_p03_unknown_settings_are_refused(self) -> None:
        """A misspelt setting must not be taken for one that is set."""
        with pytest.raises(ValidationError):
            self.provider.settings_model.model_validate({"no_such_setting_": 1})

    def test_p04_settings_survive_being_stored(self) -> None:
        """Settings are stored as JSON: what comes back must be the same."""
        stored = json.loads(json.dumps(self.chosen.model_dump(mode="json")))
        assert self.provider.settings_model.model_validate(stored) == self.chosen

    def test_p05_the_form_can_be_drawn(self) -> None:
        """Every field has a title: it becomes the label in the back office."""
        fields = self.provider.settings_schema().get("properties", {})
        untitled = [
            name
            for name, field in self.provider.settings_model.model_fields.items()
            if not (field.title or "").strip()
        ]
        assert not untitled, f"without a title: {', '.join(untitled)}"
        assert set(fields) == set(self.provider.settings_model.model_fields)
