"""Making, storing, rotating and serving certificates, whatever is served with them."""
