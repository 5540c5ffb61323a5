"""Enforcer keeps one live session per user (or N, by policy) for any web application, in real time."""

__version__ = "0.2.0"
