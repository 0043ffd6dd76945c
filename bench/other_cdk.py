"""What the sample estate declares, as an AWS CDK for Python program of CloudFormation's own resources.

`python -m bench` runs it in an environment of its own, `.venv/aws-cdk`, which `make bench AWS_CDK=1` makes. Every
resource of the sample's two stacks that CloudFormation has stands here, with the properties that matter; what is a
resource of its own in Terraform and a property in CloudFormation, such as a bucket's encryption, is that property.
"""
# mypy: ignore-errors
# aws-cdk-lib is not among this project's packages

from aws_cdk import App, CfnTag, Stack
from aws_cdk import aws_autoscaling as autoscaling
from aws_cdk import aws_cloudwatch as cloudwatch
from aws_cdk import aws_ec2 as ec2
from aws_cdk import aws_events as events
from aws_cdk import aws_iam as iam
from aws_cdk import aws_imagebuilder as imagebuilder
from aws_cdk import aws_kms as kms
from aws_cdk import aws_lambda as lambda_
from aws_cdk import aws_logs as logs
from aws_cdk import aws_s3 as s3
from aws_cdk import aws_sns as sns
from aws_cdk import aws_sqs as sqs
from aws_cdk import aws_ssm as ssm

TAGS = {"goldsmith:image": "acme/web", "team": "platform"}
ALARMS = {
    "Errors": "AWS/Lambda",
    "ApproximateNumberOfMessagesVisible": "AWS/SQS",
    "FailedBuilds": "Goldsmith",
    "Problems": "Goldsmith",
}


def policy(*actions, principal=None, effect="Allow", resource="*"):
    statement = {"Effect": effect, "Action": list(actions), "Resource": resource}
    if principal:
        statement["Principal"] = principal
    return {"Version": "2012-10-17", "Statement": [statement]}


def role(stack, name, *, service):
    trust = {
        "Version": "2012-10-17",
        "Statement": [{"Effect": "Allow", "Action": "sts:AssumeRole", "Principal": {"Service": service}}],
    }
    made = iam.CfnRole(stack, f"{name}Role", role_name=f"acme_web_{name}", assume_role_policy_document=trust, path="/")
    iam.CfnRolePolicy(
        stack,
        f"{name}Policy",
        policy_name=name,
        role_name=made.ref,
        policy_document=policy("logs:PutLogEvents", "ssm:PutParameter", "imagebuilder:GetImage", "s3:PutObject"),
    )
    return made


def instance_profile(stack, name):
    made = role(stack, name, service="ec2.amazonaws.com")
    return iam.CfnInstanceProfile(
        stack, f"{name}Profile", instance_profile_name=f"acme_web_{name}", roles=[made.ref], path="/"
    )


class ImageStack(Stack):
    def __init__(self, scope, id):
        super().__init__(scope, id)
        root = {"AWS": f"arn:aws:iam::{self.account}:root"}
        key = kms.CfnKey(self, "Key", enable_key_rotation=True, key_policy=policy("kms:*", principal=root))
        kms.CfnAlias(self, "KeyAlias", alias_name="alias/acme/web", target_key_id=key.ref)
        topic = sns.CfnTopic(self, "Topic", topic_name="acme_web_handoff", kms_master_key_id=key.attr_arn)
        bucket = self.add_logs(key)
        recipe = self.add_recipe()
        infrastructure = imagebuilder.CfnInfrastructureConfiguration(
            self,
            "Infrastructure",
            name="acme_web",
            description="Builds of image acme/web",
            instance_profile_name=instance_profile(self, "build").ref,
            instance_types=["t3.medium", "t3a.medium"],
            instance_metadata_options=imagebuilder.CfnInfrastructureConfiguration.InstanceMetadataOptionsProperty(
                http_tokens="required", http_put_response_hop_limit=1
            ),
            logging=imagebuilder.CfnInfrastructureConfiguration.LoggingProperty(
                s3_logs=imagebuilder.CfnInfrastructureConfiguration.S3LogsProperty(
                    s3_bucket_name=bucket.ref, s3_key_prefix="logs"
                )
            ),
            resource_tags=TAGS,
            sns_topic_arn=topic.ref,
            tags=TAGS,
        )
        distribution = self.add_distribution()
        pipeline = imagebuilder.CfnImagePipeline(
            self,
            "Pipeline",
            name="acme_web",
            image_recipe_arn=recipe.attr_arn,
            infrastructure_configuration_arn=infrastructure.attr_arn,
            distribution_configuration_arn=distribution.attr_arn,
            image_tests_configuration=imagebuilder.CfnImagePipeline.ImageTestsConfigurationProperty(
                image_tests_enabled=True, timeout_minutes=720
            ),
            schedule=imagebuilder.CfnImagePipeline.ScheduleProperty(
                schedule_expression="cron(0 3 ? * sun *)",
                pipeline_execution_start_condition="EXPRESSION_MATCH_AND_DEPENDENCY_UPDATES_AVAILABLE",
            ),
            tags=TAGS,
        )
        self.add_handoff(key, topic, pipeline)

    def add_logs(self, key):
        bucket = s3.CfnBucket(
            self,
            "Logs",
            bucket_encryption=s3.CfnBucket.BucketEncryptionProperty(
                server_side_encryption_configuration=[
                    s3.CfnBucket.ServerSideEncryptionRuleProperty(
                        bucket_key_enabled=True,
                        server_side_encryption_by_default=s3.CfnBucket.ServerSideEncryptionByDefaultProperty(
                            sse_algorithm="aws:kms", kms_master_key_id=key.attr_arn
                        ),
                    )
                ]
            ),
            lifecycle_configuration=s3.CfnBucket.LifecycleConfigurationProperty(
                rules=[s3.CfnBucket.RuleProperty(id="expire", status="Enabled", expiration_in_days=90)]
            ),
            public_access_block_configuration=s3.CfnBucket.PublicAccessBlockConfigurationProperty(
                block_public_acls=True, block_public_policy=True, ignore_public_acls=True, restrict_public_buckets=True
            ),
        )
        deny = policy("s3:*", principal="*", effect="Deny", resource=f"{bucket.attr_arn}/*")
        s3.CfnBucketPolicy(self, "LogsPolicy", bucket=bucket.ref, policy_document=deny)
        return bucket

    def add_recipe(self):
        components = [
            imagebuilder.CfnComponent(
                self,
                f"Component{number}",
                name=f"acme_web_{name}",
                platform="Linux",
                version="1.0.0",
                data=f"name: {name}\nschemaVersion: 1.0\nphases: [{{name: build, steps: []}}]\n",
                tags=TAGS,
            )
            for number, name in enumerate(("update-os", "install-packages", "app", "boots", "http-responds"))
        ]
        return imagebuilder.CfnImageRecipe(
            self,
            "Recipe",
            name="acme_web",
            version="1.0.0",
            parent_image="ssm:/aws/service/ami-amazon-linux-latest/al2023-ami-kernel-default-x86_64",
            components=[
                imagebuilder.CfnImageRecipe.ComponentConfigurationProperty(component_arn=component.attr_arn)
                for component in components
            ],
            block_device_mappings=[
                imagebuilder.CfnImageRecipe.InstanceBlockDeviceMappingProperty(
                    device_name="/dev/xvda",
                    ebs=imagebuilder.CfnImageRecipe.EbsInstanceBlockDeviceSpecificationProperty(
                        delete_on_termination=True, encrypted=True, volume_type="gp3"
                    ),
                )
            ],
            tags=TAGS,
        )

    def add_distribution(self):
        ami = {"Name": "acme.web.{{ imagebuilder:buildDate }}", "Description": "acme/web", "AmiTags": TAGS}
        return imagebuilder.CfnDistributionConfiguration(
            self,
            "Distribution",
            name="acme_web",
            distributions=[
                imagebuilder.CfnDistributionConfiguration.DistributionProperty(
                    region=region, ami_distribution_configuration=ami
                )
                for region in ("ap-northeast-1", "us-east-1")
            ],
            tags=TAGS,
        )

    def add_handoff(self, key, topic, pipeline):
        queue = sqs.CfnQueue(
            self, "DeadLetters", kms_master_key_id=key.attr_arn, message_retention_period=1_209_600, queue_name="acme"
        )
        logs.CfnLogGroup(
            self, "Log", log_group_name="/aws/lambda/acme_web_handoff", retention_in_days=365, kms_key_id=key.attr_arn
        )
        function = lambda_.CfnFunction(
            self,
            "Function",
            function_name="acme_web_handoff",
            code=lambda_.CfnFunction.CodeProperty(zip_file="def handle(event, context): ..."),
            handler="index.handle",
            runtime="python3.13",
            role=role(self, "handoff", service="lambda.amazonaws.com").attr_arn,
            timeout=300,
            dead_letter_config=lambda_.CfnFunction.DeadLetterConfigProperty(target_arn=queue.attr_arn),
            environment=lambda_.CfnFunction.EnvironmentProperty(
                variables={"GOLDSMITH_PIPELINE_ARN": pipeline.attr_arn}
            ),
            tags=[CfnTag(key=name, value=value) for name, value in TAGS.items()],
        )
        sns.CfnSubscription(
            self,
            "Subscription",
            protocol="lambda",
            topic_arn=topic.ref,
            endpoint=function.attr_arn,
            redrive_policy={"deadLetterTargetArn": queue.attr_arn},
        )
        rule = events.CfnRule(
            self,
            "Schedule",
            schedule_expression="rate(1 hour)",
            targets=[events.CfnRule.TargetProperty(id="function", arn=function.attr_arn)],
        )
        for service, source in (("sns", topic.ref), ("events", rule.attr_arn)):
            lambda_.CfnPermission(
                self,
                f"{service}Permission",
                action="lambda:InvokeFunction",
                function_name=function.ref,
                principal=f"{service}.amazonaws.com",
                source_arn=source,
            )
        for metric, namespace in ALARMS.items():
            cloudwatch.CfnAlarm(
                self,
                f"{metric}Alarm",
                metric_name=metric,
                namespace=namespace,
                comparison_operator="GreaterThanThreshold",
                evaluation_periods=1,
                period=300,
                statistic="Maximum",
                threshold=0,
                treat_missing_data="notBreaching",
                dimensions=[cloudwatch.CfnAlarm.DimensionProperty(name="Image", value="acme/web")],
            )


class FleetStack(Stack):
    def __init__(self, scope, id):
        super().__init__(scope, id)
        channel = ssm.StringParameter.value_for_string_parameter(self, "/imagebuilder/acme/web/latest")
        everywhere = ec2.CfnSecurityGroup.EgressProperty(
            ip_protocol="tcp", from_port=443, to_port=443, cidr_ip="0.0.0.0/0"
        )
        group = ec2.CfnSecurityGroup(
            self, "SecurityGroup", group_description="Fleet", vpc_id="vpc-1", security_group_egress=[everywhere]
        )
        template = ec2.CfnLaunchTemplate(
            self,
            "LaunchTemplate",
            launch_template_data=ec2.CfnLaunchTemplate.LaunchTemplateDataProperty(
                image_id=channel,
                instance_type="t3.small",
                security_group_ids=[group.attr_group_id],
                iam_instance_profile=ec2.CfnLaunchTemplate.IamInstanceProfileProperty(
                    arn=instance_profile(self, "fleet").attr_arn
                ),
                metadata_options=ec2.CfnLaunchTemplate.MetadataOptionsProperty(http_tokens="required"),
            ),
        )
        autoscaling.CfnAutoScalingGroup(
            self,
            "Fleet",
            min_size="2",
            max_size="4",
            desired_capacity="2",
            vpc_zone_identifier=["subnet-1", "subnet-2"],
            launch_template=autoscaling.CfnAutoScalingGroup.LaunchTemplateSpecificationProperty(
                launch_template_id=template.ref, version=template.attr_latest_version_number
            ),
        )


app = App()
ImageStack(app, "image-web")
FleetStack(app, "fleet-web-dev")
app.synth()
