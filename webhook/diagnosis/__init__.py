"""What a person sees of a rollout, and why it stands still. Pure: objects are passed in; no client, no clock."""
