"""The intermediate key-value store: task outputs, striped over the nodes of a ring."""
