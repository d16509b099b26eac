"""Where the back office lives."""

PREFIX = "/backoffice"
