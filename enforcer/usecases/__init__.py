"""What may be asked of the sessions, and what this process knows of them."""
