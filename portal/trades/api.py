"""HTTP: one's own trades."""

from flask import Blueprint

blueprint = Blueprint("trades_api", __name__)
