"""The image, built and run without a container engine: the Dockerfile carried out step by step in a folder."""
