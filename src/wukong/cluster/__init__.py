"""The embedded cluster: everything that Wukong needs, as child processes of one program."""
