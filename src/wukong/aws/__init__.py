"""What users need of their AWS account: where a deployment is, its token, its image registry, what it is billed."""
