"""Payouts of a coin stop while ledger and chain differ about it."""
