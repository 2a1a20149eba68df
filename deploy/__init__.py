"""Bringing the system to AWS and away again: `make push`, `make deploy`, `make destroy`. See docs/aws.md.

Terraform knows what there is to be; this knows the order: a function needs its image before it exists, and an image needs
its repository. Pure modules say what is done (`images`, `pins`, `environment`); `push`, `terraform` and `leftovers` do it.
"""
