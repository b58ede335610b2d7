"""The command `temoin`."""
