"""Live updates to clients over WebSocket: books as snapshots, and "this of yours changed"."""
