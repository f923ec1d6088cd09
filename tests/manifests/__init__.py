"""The manifests as they are rendered: what pods may do, and what is watched."""
