"""One release in a folder: what users download, with checksums; the same bytes from the same commit."""
