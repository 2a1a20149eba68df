"""How work spreads: one module per policy."""
