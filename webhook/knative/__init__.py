"""Stock Knative: decisions that carry a rollout on unmodified Knative Serving. Pure: no client, no clock."""
