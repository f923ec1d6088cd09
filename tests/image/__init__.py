"""The image, built and run without a container engine: the Dockerfile played step by step in a folder."""
