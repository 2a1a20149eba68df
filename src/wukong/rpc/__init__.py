"""gRPC between clients and the parts of the cluster: servers, channels, the token, and errors that travel."""
