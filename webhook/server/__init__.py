"""The HTTPS server that answers admission reviews, and the pages for probes and scrapers on a port of their own."""
