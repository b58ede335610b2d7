"""One file per gateway format."""
