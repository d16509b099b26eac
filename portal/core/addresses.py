"""Network addresses as messages may show them."""

from urllib.parse import urlsplit


def public_part(url: str) -> str:
    """Scheme, host and port: paths, queries and user names of an address may hold keys."""
    parts = urlsplit(url)
    return f"{parts.scheme}://{parts.hostname}" + (f":{parts.port}" if parts.port else "")
