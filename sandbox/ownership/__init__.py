"""Field ownership: who wrote which field, and server-side apply, which rests on it."""
