"""Chaos on real Knative: Services are edited while webhook and loop are killed and stopped; the laws that hold."""
