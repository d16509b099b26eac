"""Running the whole portal on one machine: `portal run`."""
