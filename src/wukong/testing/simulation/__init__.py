"""A cluster in virtual time, driven by one seed: its clock, its Lambda, its KVS, its graphs and its faults."""
