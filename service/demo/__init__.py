"""The demonstration: two sites that do not exist, a whole installation on this machine."""
