locals {
  pull = {
    Version = "2012-10-17"
    Statement = [{
      Sid       = "LambdaPulls"
      Effect    = "Allow"
      Principal = { Service = "lambda.amazonaws.com" }
      Action    = ["ecr:BatchGetImage", "ecr:GetDownloadUrlForLayer"]
      Condition = {
        ArnLike = { "aws:SourceArn" = "arn:aws:lambda:${var.region}:${var.account_id}:function:*" }
      }
    }]
  }

  # `make push` gives every image that it deploys a tag, and tags are never moved. So only what no deployment can name
  # is without one, and digests that functions and tasks refer to never expire.
  lifecycle_policy = {
    rules = [{
      rulePriority = 1
      description  = "Leftovers of pushes"
      selection = {
        tagStatus   = "untagged"
        countType   = "sinceImagePushed"
        countUnit   = "days"
        countNumber = var.untagged_days
      }
      action = { type = "expire" }
    }]
  }
}

resource "aws_ecr_repository" "this" {
  for_each = var.images

  name                 = each.key
  image_tag_mutability = "IMMUTABLE"
  # Images are built from the repository again at any time; `make destroy` shall leave nothing.
  force_delete = true

  image_scanning_configuration {
    scan_on_push = true
  }

  encryption_configuration {
    encryption_type = "KMS"
  }
}

resource "aws_ecr_lifecycle_policy" "this" {
  for_each = var.images

  repository = aws_ecr_repository.this[each.key].name
  policy     = jsonencode(local.lifecycle_policy)
}

# Tasks of Fargate pull with their own role; Lambda pulls as a service.
resource "aws_ecr_repository_policy" "functions" {
  for_each = var.functions

  repository = aws_ecr_repository.this[each.key].name
  policy     = jsonencode(local.pull)
}
