"""The agent beside one Redis of the key-value store: keeps it in the ring, tells its state, purges owners."""
