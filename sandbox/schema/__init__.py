"""What a schema does to an object: unknown fields go, defaults come, and the rest is checked."""
