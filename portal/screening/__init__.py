"""Sanctions screening: government lists, matching of names and of wallet addresses."""
