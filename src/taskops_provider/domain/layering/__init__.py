"""The layout of diagrams: layers, order in them, places, routes of edges."""
