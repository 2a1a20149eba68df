# Nothing is asked of AWS: what it would answer is made up, and known when planning.
mock_provider "aws" {
  override_during = plan

  mock_data "aws_caller_identity" {
    defaults = { account_id = "123456789012" }
  }
}

run "repositories_keep_what_is_referred_to" {
  command = plan

  assert {
    condition     = toset(keys(output.repositories)) == toset(["wukong-executor", "wukong-invoker", "wukong-scheduler", "wukong-kvs-proxy", "wukong-kvs-node"])
    error_message = "An image has no repository."
  }

  assert {
    condition     = alltrue([for settings in values(output.settings) : settings.tags == "IMMUTABLE" && settings.scanned && settings.encryption == "KMS"])
    error_message = "A repository is not scanned, not encrypted, or its tags can be moved."
  }

  assert {
    condition     = alltrue(flatten([for settings in values(output.settings) : [for rule in jsondecode(settings.expires).rules : rule.selection.tagStatus == "untagged"]]))
    error_message = "Images with tags expire, which deployments may refer to."
  }
}

run "only_lambda_of_this_account_pulls" {
  command = plan

  assert {
    condition     = toset(keys(output.policies)) == toset(["repository/wukong-executor", "repository/wukong-invoker"])
    error_message = "Lambda may pull others than its functions' images, or not those."
  }

  assert {
    condition = alltrue(flatten([for policy in values(output.policies) : [for statement in jsondecode(policy).Statement :
      statement.Principal.Service == "lambda.amazonaws.com" && strcontains(jsonencode(statement.Condition), ":123456789012:")
    ]]))
    error_message = "Others may pull."
  }
}

run "a_region_has_a_name" {
  command = plan

  variables {
    region = "Frankfurt"
  }

  expect_failures = [var.region]
}
