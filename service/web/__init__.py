"""The web of the service."""
