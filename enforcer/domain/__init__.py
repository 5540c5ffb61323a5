"""What everybody talks about, and the rules; pure: no I/O, no clock, no await."""
