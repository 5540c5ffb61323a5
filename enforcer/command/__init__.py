"""The command `enforcer`: what is typed, and what is printed."""
