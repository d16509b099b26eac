"""The demo: people, markets and coins that exist on this machine only."""

from portal.demo.people import Person, people

__all__ = ["Person", "people"]
