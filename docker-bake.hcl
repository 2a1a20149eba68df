# `docker buildx bake` builds every image, from the repository's root.

variable "BASE_IMAGE" {
  default = "python:3.11-slim-bookworm"
}

variable "PREFIX" {
  default = "wukong"
}

variable "TAG" {
  default = "latest"
}

variable "REVISION" {
  default = "unknown"
}

group "default" {
  targets = ["services", "functions"]
}

target "services" {
  name       = name
  matrix     = { name = ["scheduler", "kvs-proxy", "kvs-node", "lambda-emulator"] }
  dockerfile = "services/${name}/Dockerfile"
  tags       = ["${PREFIX}-${name}:${TAG}"]
  args       = { BASE_IMAGE = BASE_IMAGE, REVISION = REVISION }
}

target "functions" {
  name       = name
  matrix     = { name = ["executor", "invoker"] }
  dockerfile = "functions/${name}/Dockerfile"
  tags       = ["${PREFIX}-${name}:${TAG}"]
  args       = { BASE_IMAGE = BASE_IMAGE, REVISION = REVISION }
}
