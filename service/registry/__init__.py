"""The registry of the service."""
