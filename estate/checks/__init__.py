"""Rules that no model can see alone: across images, fleets, documents and settings."""
