"""The admission chain: mutating webhooks, then policies and validating webhooks, as an API server calls them."""
