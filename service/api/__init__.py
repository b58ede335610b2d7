"""The api of the service."""
