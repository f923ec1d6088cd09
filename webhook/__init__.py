"""Stagegate: the admission webhook and companion loop for Knative progressive rollouts."""
