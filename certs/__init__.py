"""Making, storing, rotating and serving certificates; knows nothing of what is served."""
