"""The pure core of an executor: the walk, its instructions and the policies that spread work."""
