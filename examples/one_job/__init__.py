"""One job of four tasks, message by message: `python -m examples.one_job` runs it and prints who said what to whom.

`docs/one-job.md` explains the output. Three things are recorded and merged by time: gRPC messages, by a relay between
the client and the scheduler; the commands that reach the stores, by the stores' own MONITOR; and what environments
do, from the Lambda emulator's log.
"""
