# A PostgreSQL secret and what rotates it, for those who deploy with Terraform. Copy this file; the zip is in the release.
#
#   module "rotation" {
#     source     = "./db-rotation"
#     zip        = "db-rotation-arm64.zip"
#     secret_arn = aws_secretsmanager_secret.database.arn
#   }

terraform {
  required_version = ">= 1.3"
  required_providers {
    aws = {
      source  = "hashicorp/aws"
      version = ">= 5.40"
    }
  }
}

variable "zip" {
  description = "The function's zip, of this architecture"
  type        = string
}

variable "architecture" {
  description = "arm64 or x86_64"
  type        = string
  default     = "arm64"
}

variable "name" {
  description = "The function's name; its role and its log group are called after it"
  type        = string
  default     = "db-rotation"
}

variable "secret_arn" {
  description = "Whole ARN of the secret to rotate"
  type        = string
}

variable "secret_key_arn" {
  description = "ARN of its key, where that is not the one that AWS manages"
  type        = string
  default     = null
}

variable "superuser_secret_arn" {
  description = "Whole ARN of the superuser's secret: the function may read it, for a secret whose value names it as masterarn"
  type        = string
  default     = null
}

variable "superuser_secret_key_arn" {
  description = "ARN of its key, where that is not the one that AWS manages"
  type        = string
  default     = null
}

variable "network" {
  description = "Where the function runs in a VPC: from there it needs a way to the database and to Secrets Manager"
  type = object({
    subnet_ids         = list(string)
    security_group_ids = list(string)
  })
  default = null
}

variable "rotation_days" {
  description = "Days from one rotation to the next, 1 to 365"
  type        = number
  default     = 30
}

variable "log_retention_days" {
  description = "Days that logs are kept, as CloudWatch Logs counts"
  type        = number
  default     = 30
}

variable "exclude_characters" {
  description = "Characters that no password has"
  type        = string
  default     = ":/@\"'\\"
}

variable "password_length" {
  description = "Length of a password"
  type        = number
  default     = 32
}

data "aws_caller_identity" "this" {}
data "aws_partition" "this" {}
data "aws_region" "this" {}

locals {
  account   = data.aws_caller_identity.this.account_id
  partition = data.aws_partition.this.partition
  region    = data.aws_region.this.id
  service   = "secretsmanager.${local.region}.${data.aws_partition.this.dns_suffix}"
  settings = {
    EXCLUDE_CHARACTERS = var.exclude_characters
    PASSWORD_LENGTH    = var.password_length
  }
  # The function brings the authorities that it trusts; in China and in isolated regions it needs the system's.
  trust = contains(["aws", "aws-us-gov"], local.partition) ? { SSL_CERT_FILE = "/dev/null" } : {}
}

resource "aws_lambda_function" "rotation" {
  function_name    = var.name
  description      = "Rotates a PostgreSQL credential, called by Secrets Manager"
  filename         = var.zip
  source_code_hash = filebase64sha256(var.zip)
  handler          = "bootstrap"
  runtime          = "provided.al2023"
  architectures    = [var.architecture]
  memory_size      = 256
  timeout          = 30
  role             = aws_iam_role.rotation.arn

  environment {
    variables = merge(local.settings, local.trust)
  }

  logging_config {
    log_format = "JSON"
    log_group  = aws_cloudwatch_log_group.rotation.name
  }

  dynamic "vpc_config" {
    for_each = var.network == null ? [] : [var.network]
    content {
      subnet_ids         = vpc_config.value.subnet_ids
      security_group_ids = vpc_config.value.security_group_ids
    }
  }
}

resource "aws_cloudwatch_log_group" "rotation" {
  name              = "/aws/lambda/${var.name}"
  retention_in_days = var.log_retention_days
}

resource "aws_iam_role" "rotation" {
  name               = var.name
  description        = "What the rotation function may do"
  assume_role_policy = data.aws_iam_policy_document.trust.json
}

data "aws_iam_policy_document" "trust" {
  statement {
    sid     = "LambdaAssumesIt"
    actions = ["sts:AssumeRole"]
    principals {
      type        = "Service"
      identifiers = ["lambda.amazonaws.com"]
    }
  }
}

resource "aws_iam_role_policy_attachment" "execution" {
  role       = aws_iam_role.rotation.name
  policy_arn = "arn:${local.partition}:iam::aws:policy/service-role/AWSLambdaBasicExecutionRole"
}

resource "aws_iam_role_policy_attachment" "network" {
  count      = var.network == null ? 0 : 1
  role       = aws_iam_role.rotation.name
  policy_arn = "arn:${local.partition}:iam::aws:policy/service-role/AWSLambdaVPCAccessExecutionRole"
}

resource "aws_iam_role_policy" "rotation" {
  name   = "rotation"
  role   = aws_iam_role.rotation.name
  policy = data.aws_iam_policy_document.rotation.json
}

data "aws_iam_policy_document" "rotation" {
  statement {
    sid = "RotateTheSecret"
    actions = [
      "secretsmanager:DescribeSecret",
      "secretsmanager:GetSecretValue",
      "secretsmanager:ListSecretVersionIds",
      "secretsmanager:PutSecretValue",
      "secretsmanager:UpdateSecretVersionStage",
    ]
    resources = [var.secret_arn]
  }

  statement {
    sid     = "AskForAPassword"
    actions = ["secretsmanager:GetRandomPassword"]
    # The action takes no resource.
    resources = ["*"]
  }

  dynamic "statement" {
    for_each = var.secret_key_arn == null ? [] : [var.secret_key_arn]
    content {
      sid       = "UnsealAndSealTheSecret"
      actions   = ["kms:Decrypt", "kms:GenerateDataKey"]
      resources = [var.secret_key_arn]
      condition {
        test     = "StringEquals"
        variable = "kms:ViaService"
        values   = [local.service]
      }
      condition {
        test     = "StringEquals"
        variable = "kms:EncryptionContext:SecretARN"
        values   = [var.secret_arn]
      }
    }
  }

  dynamic "statement" {
    for_each = var.superuser_secret_arn == null ? [] : [var.superuser_secret_arn]
    content {
      sid       = "ReadTheSuperuser"
      actions   = ["secretsmanager:DescribeSecret", "secretsmanager:GetSecretValue"]
      resources = [var.superuser_secret_arn]
    }
  }

  dynamic "statement" {
    for_each = var.superuser_secret_key_arn == null ? [] : [var.superuser_secret_key_arn]
    content {
      sid       = "UnsealTheSuperuser"
      actions   = ["kms:Decrypt"]
      resources = [var.superuser_secret_key_arn]
      condition {
        test     = "StringEquals"
        variable = "kms:ViaService"
        values   = [local.service]
      }
      condition {
        test     = "StringEquals"
        variable = "kms:EncryptionContext:SecretARN"
        values   = [var.superuser_secret_arn]
      }
    }
  }

  # Whether the superuser's host is the secret's, or the writer of which that is a replica.
  dynamic "statement" {
    for_each = var.superuser_secret_arn == null ? [] : [var.superuser_secret_arn]
    content {
      sid     = "LookUpTheWriter"
      actions = ["rds:DescribeDBClusters", "rds:DescribeDBInstances"]
      resources = [
        "arn:${local.partition}:rds:${local.region}:${local.account}:cluster:*",
        "arn:${local.partition}:rds:${local.region}:${local.account}:db:*",
      ]
    }
  }

  # Lambda needs these to attach the function to the VPC; the code itself never does.
  dynamic "statement" {
    for_each = var.network == null ? [] : [var.network]
    content {
      sid    = "NoInterfacesByTheCodeItself"
      effect = "Deny"
      actions = [
        "ec2:AssignPrivateIpAddresses",
        "ec2:CreateNetworkInterface",
        "ec2:DeleteNetworkInterface",
        "ec2:DescribeNetworkInterfaces",
        "ec2:DescribeSubnets",
        "ec2:DetachNetworkInterface",
        "ec2:UnassignPrivateIpAddresses",
      ]
      resources = ["*"]
      condition {
        test     = "ArnEquals"
        variable = "lambda:SourceFunctionArn"
        values   = ["arn:${local.partition}:lambda:${local.region}:${local.account}:function:${var.name}"]
      }
    }
  }
}

resource "aws_lambda_permission" "secrets_manager" {
  action         = "lambda:InvokeFunction"
  function_name  = aws_lambda_function.rotation.function_name
  principal      = "secretsmanager.amazonaws.com"
  source_account = local.account
}

resource "aws_secretsmanager_secret_rotation" "rotation" {
  secret_id           = var.secret_arn
  rotation_lambda_arn = aws_lambda_function.rotation.arn
  # Left out it would mean yes: every change of the schedule would change the password there and then.
  rotate_immediately = false

  rotation_rules {
    automatically_after_days = var.rotation_days
  }

  # Making a schedule calls the function at once.
  depends_on = [aws_lambda_permission.secrets_manager, aws_iam_role_policy.rotation]
}

output "function_arn" {
  description = "The rotation function"
  value       = aws_lambda_function.rotation.arn
}
