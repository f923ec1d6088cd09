"""The demo: an edited Service and a rollout from start to end on this machine, and the parts that tests reuse to run the whole product."""
