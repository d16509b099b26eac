"""What pytest loads where the portal is installed: it makes failed cases say what they compared."""

import pytest

pytest.register_assert_rewrite(
    *(f"portal.testing.{name}" for name in ("providers", "fees", "compliance", "gateways"))
)
