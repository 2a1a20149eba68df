"""The `wukong` command: clusters and jobs from a shell."""
