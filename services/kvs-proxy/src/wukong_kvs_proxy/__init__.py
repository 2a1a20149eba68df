"""The KVS proxy: authority over the ring, and gateway for clients that cannot reach the stores."""
