"""What makes of this repository what users install: the Helm chart, and the files of a release."""
