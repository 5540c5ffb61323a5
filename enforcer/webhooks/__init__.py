"""Webhooks: what is sent, to whom and when, and one sender of all processes that sends it."""
