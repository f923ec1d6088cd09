"""The page: rollouts as people read them in a browser; it reads a cluster, and writes nothing."""
