"""The companion loop: carries rollouts through their stages.

A map for newcomers: ``caches`` hold the informers, ``routing`` finds the rollouts that a change concerns, ``workers``
take one rollout at a time from the queue to ``reconciler``. That updates the SPAs (``spa_reconciler``), reads what
bears on the rollout (``observation``), decides the spec (``spec_decision``), carries the stage on (``stage_pass``,
which plans the writes, and ``write_executor``, which sends them), explains it in the conditions (``stage_status``),
writes the RO, and emits Events (``event_messages``). ``loop`` wires all that; ``process`` connects to the cluster and
leads.
"""
