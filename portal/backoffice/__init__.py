"""The back office at /backoffice: Flask-AppBuilder with its own doors, roles, pages and look.

`setup.register_backoffice` puts it on a Flask app; `roles` tells who sees and does what; `pages`,
`acts`, `panels` and `cells` are what the `views.py` of every wing is made of.
"""
