"""The companion loop: carries rollouts through their stages.

A map for newcomers: ``caches`` hold the informers, ``routing`` finds the rollouts that a change concerns, ``workers``
take one rollout at a time from the queue to ``reconciler``. It updates the SPAs (``spa_defaulting``, ``spa_status``),
decides the spec (``spec_decision``, with ``planned_targets``, ``recorded_status``, ``rollout_settings`` and
``timeout``), plans the writes of the stage (``stage_pass``, ``planned_writes``) and emits Events (``event_messages``).
``loop`` wires all that; ``process`` connects to the cluster and leads.
"""
