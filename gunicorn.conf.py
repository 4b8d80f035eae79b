"""Read by gunicorn in this folder: ``gunicorn 'foodlog:create_app()'`` is all there is to type."""

from foodlog.gunicorn_settings import *  # noqa: F403
