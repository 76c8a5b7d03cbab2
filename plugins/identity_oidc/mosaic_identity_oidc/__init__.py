"""Signing in with OpenID Connect, and with GitHub."""
