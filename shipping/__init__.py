"""What makes of this repository what users install: so far, the Helm chart."""
