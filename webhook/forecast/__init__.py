"""What a rollout will need, before anything is written: stages, replicas, resources, and whether they fit. Pure."""
