"""AWS Lambda on one machine: the Invoke API, the Runtime API, and environments that it starts and ends."""
