"""Stagegate installed and used by real sync tools, from unpatched manifests, on a real control plane."""
