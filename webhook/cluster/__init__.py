"""Talking to Kubernetes: client, reflector and lister, work queue, lease, events. Knows the objects and nothing else.

A newcomer's map: ``connection`` reads a kubeconfig and opens a ``transport``; ``client`` turns verbs on a ``resource``
into requests and answers into dicts or ``errors``; a ``reflector`` keeps a ``store`` equal to what the server has; a
``work_queue`` hands keys to workers; a ``lease`` says who may write; ``events`` tell people what happened.
"""
