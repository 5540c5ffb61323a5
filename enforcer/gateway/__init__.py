"""Sockets of this process: joined to sessions, told what happened, listened to. Decides nothing."""
