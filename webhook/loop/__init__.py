"""The companion loop: carries rollouts through their stages.

A newcomer's map: ``caches`` show the cluster, ``routing`` tells whom a change concerns, ``workers`` take one rollout at
a time to ``rollouts``, the controller. There, ``completion`` and ``feed`` see to the SPAs, ``decision`` settles the
spec (with ``targets``, ``record``, ``settings`` and ``timeout``), ``reconcile`` is the pass over the stage (``early``
says which SPAs without a Revision it spares), and ``news`` is what people hear of it. ``loop`` wires all that,
``process`` finds the cluster and leads.
"""
