"""Soak: rollouts without pause on a real control plane, and what they leave behind."""
