"""The HTTPS server: admission calls on a short lane, pages through Flask, both on one event loop."""
