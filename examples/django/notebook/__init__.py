"""A notebook: everybody writes into the own one, and the admin sees them all."""
