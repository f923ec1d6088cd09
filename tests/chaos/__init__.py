"""Chaos: rollouts carried while processes are killed and requests fail, and the laws that hold all the same."""
