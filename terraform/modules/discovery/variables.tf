variable "name" {
  description = "Prefix of all names; the namespace is NAME.internal."
  type        = string
}

variable "vpc_id" {
  description = "VPC in which names are answered."
  type        = string
}

variable "registered" {
  description = "Names under which ECS registers a service's tasks."
  type        = set(string)
}

variable "aliases" {
  description = "Further names -> the host that each stands for."
  type        = map(string)
}
