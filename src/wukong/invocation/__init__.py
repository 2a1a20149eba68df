"""Starting executors by asynchronous invocations: events, how many are started at once, and Lambda's answers."""
