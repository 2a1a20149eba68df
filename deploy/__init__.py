"""Bringing the system to AWS and away again: `make push`, `make deploy`, `make destroy`. See docs/aws.md.

Terraform knows what there is to be; this knows the order: a function needs its image before it exists, an image needs
its repository, and a secret gets its value from neither. Pure modules say what is done (`images`, `pins`,
`environment`, `secrets`); `push`, `vault`, `certificate`, `removal` and the rest do it.
"""
