"""The HTTP edge: parse, ask the registry, answer. Every error is `application/problem+json` (RFC 9457)."""
