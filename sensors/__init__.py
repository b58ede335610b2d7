"""What arrived from the gateways, and where it is kept."""
