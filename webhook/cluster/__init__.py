"""Talking to Kubernetes: client, reflector, indexer, work queue, lease, Events. Depends on the package api alone.

``connection`` reads a kubeconfig and opens a ``transport``; ``client`` turns verbs on a ``resource`` into requests, and
responses into dicts or ``errors``; a ``reflector`` keeps an ``indexer`` equal to the server; a ``work_queue`` gives
keys to workers; a ``lease`` decides who may write; ``events`` records what happened.
"""
