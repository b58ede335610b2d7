"""What docker-compose.yml mounts and runs: configuration of the programs around Témoin."""
