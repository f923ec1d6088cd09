"""The doctor: what is wrong with an installation, decided from what was read of it; pure."""
