"""The dashboard and its HTTP API, over the merged view of both layers."""
