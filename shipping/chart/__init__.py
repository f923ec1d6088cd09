"""The templates of the Helm chart, made from the kustomize manifests.

The manifests are the only source. Every component becomes a switch of the chart: its patches become conditions in the
templates. What people set beyond that is listed in ``options``.
"""
