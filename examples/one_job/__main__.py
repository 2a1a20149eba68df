"""Run the job and print what was said."""

from __future__ import annotations

from examples.one_job.trace import trace

if __name__ == "__main__":
    rows = trace()
    for row in rows:
        print(row.line(rows[0].time))
