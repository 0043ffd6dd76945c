"""How IAM names what a call to AWS needs, after AWS's service authorization reference.

Operations are written as `service Operation`, the service as requests are signed for it; patterns may have `*`. In a
resource, `{Name}` is a parameter of the call, and what is no ARN is in the account and region of the call.
"""

from collections.abc import Iterator, Mapping
from typing import Any

from local_aws.calls import Call
from local_aws.policies import Keys

OTHER_NAMES = {
    "lambda Invoke": "lambda:InvokeFunction",
    "s3 DeleteBucketEncryption": "s3:PutEncryptionConfiguration",
    "s3 DeleteBucketLifecycle": "s3:PutLifecycleConfiguration",
    "s3 DeleteBucketTagging": "s3:PutBucketTagging",
    "s3 DeletePublicAccessBlock": "s3:PutBucketPublicAccessBlock",
    "s3 GetBucketAccelerateConfiguration": "s3:GetAccelerateConfiguration",
    "s3 GetBucketCors": "s3:GetBucketCORS",
    "s3 GetBucketEncryption": "s3:GetEncryptionConfiguration",
    "s3 GetBucketLifecycleConfiguration": "s3:GetLifecycleConfiguration",
    "s3 GetBucketReplication": "s3:GetReplicationConfiguration",
    "s3 GetObjectLockConfiguration": "s3:GetBucketObjectLockConfiguration",
    "s3 GetPublicAccessBlock": "s3:GetBucketPublicAccessBlock",
    "s3 HeadBucket": "s3:ListBucket",
    "s3 HeadObject": "s3:GetObject",
    "s3 ListObjectVersions": "s3:ListBucketVersions",
    "s3 ListObjectsV2": "s3:ListBucket",
    "s3 PutBucketEncryption": "s3:PutEncryptionConfiguration",
    "s3 PutBucketLifecycleConfiguration": "s3:PutLifecycleConfiguration",
    "s3 PutPublicAccessBlock": "s3:PutBucketPublicAccessBlock",
}
"""The actions that have another name than the operation."""

NO_PERMISSION = {
    "sts:GetCallerIdentity": "everybody may call it",
    "ec2:GetInstanceUefiData": "the provider asks it about AMIs, which always fails, and ignores that "
    "(hashicorp/terraform-provider-aws#47508)",
}
"""What is called and need not be allowed."""

RESOURCES = (
    ("autoscaling Describe*", "*"),
    ("autoscaling *Tags", "autoScalingGroup:*:autoScalingGroupName/{Tags.ResourceId}"),
    ("autoscaling *", "autoScalingGroup:*:autoScalingGroupName/{AutoScalingGroupName}"),
    ("ec2 Describe*", "*"),
    ("ec2 *SecurityGroup?gress", "{GroupId}"),
    ("ec2 ModifySecurityGroupRules", "{GroupId} {SecurityGroupRule.SecurityGroupRuleId}"),
    ("ec2 CreateLaunchTemplate", "launch-template/*"),
    ("ec2 *LaunchTemplate*", "{LaunchTemplateId}"),
    ("ec2 CreateSecurityGroup", "security-group/* {VpcId}"),
    ("ec2 GetImageAncestry", "*"),
    ("ec2 DeleteSecurityGroup", "{GroupId}"),
    ("ec2 *Tags", "{ResourceId}"),
    ("ec2 ImportSnapshot", "import-snapshot-task/* snapshot/*"),
    ("ec2 RegisterImage", "image/* {BlockDeviceMapping.Ebs.SnapshotId}"),
    ("ec2 *Image*", "{ImageId}"),
    ("ec2 *Snapshot", "{SnapshotId}"),
    ("ecr DescribeRepositories", "repository/{repositoryNames}"),
    ("ecr *Resource", "{resourceArn}"),
    ("ecr *", "repository/{repositoryName}"),
    ("events *Resource", "{ResourceARN}"),
    ("events *Target*", "rule/{Rule}"),
    ("events *", "rule/{Name}"),
    ("iam CreateServiceLinkedRole", "role/aws-service-role/{AWSServiceName}/*"),
    ("iam *InstanceProfile", "instance-profile/{InstanceProfileName}"),
    ("iam CreatePolicy", "policy/{PolicyName}"),
    ("iam CreateRole", "role{Path}{RoleName}"),
    ("iam *RolePolicy", "role/{RoleName}"),
    ("iam *Role*", "role/{RoleName}"),
    ("iam *Policy*", "{PolicyArn}"),
    ("imagebuilder CreateComponent", "component/{name}/{semanticVersion}/1"),
    ("imagebuilder CreateContainerRecipe", "container-recipe/{name}/{semanticVersion}"),
    ("imagebuilder CreateDistributionConfiguration", "distribution-configuration/{name}"),
    ("imagebuilder CreateImagePipeline", "image-pipeline/{name}"),
    ("imagebuilder CreateImageRecipe", "image-recipe/{name}/{semanticVersion}"),
    ("imagebuilder CreateInfrastructureConfiguration", "infrastructure-configuration/{name}"),
    ("imagebuilder CreateLifecyclePolicy", "lifecycle-policy/{name}"),
    ("imagebuilder CreateWorkflow", "workflow/{type}/{name}/{semanticVersion}/1"),
    ("imagebuilder GetImage", "{imageBuildVersionArn}"),
    ("imagebuilder ListImagePackages", "{imageBuildVersionArn}"),
    ("imagebuilder ListImagePipelineImages", "{imagePipelineArn}"),
    ("imagebuilder ListImageScanFinding*", "*"),
    ("imagebuilder StartImagePipelineExecution", "{imagePipelineArn}"),
    ("imagebuilder *Component", "{componentBuildVersionArn}"),
    ("imagebuilder *ContainerRecipe", "{containerRecipeArn}"),
    ("imagebuilder *DistributionConfiguration", "{distributionConfigurationArn}"),
    ("imagebuilder *ImagePipeline", "{imagePipelineArn}"),
    ("imagebuilder *ImageRecipe", "{imageRecipeArn}"),
    ("imagebuilder *InfrastructureConfiguration", "{infrastructureConfigurationArn}"),
    ("imagebuilder *LifecyclePolicy", "{lifecyclePolicyArn}"),
    ("imagebuilder *Workflow", "{workflowBuildVersionArn}"),
    ("imagebuilder *Resource", "{resourceArn}"),
    ("kms CreateKey", "*"),
    ("kms ListAliases", "*"),
    ("kms CreateAlias", "{AliasName} key/{TargetKeyId}"),
    ("kms DeleteAlias", "{AliasName}"),
    ("kms *Grant*", "{KeyId}"),
    ("kms DescribeKey", "key/assumed"),  # the call may name an alias, and AWS looks at the key that it stands for
    ("kms *", "key/{KeyId}"),
    ("lambda *Resource", "{Resource}"),
    ("lambda *", "function:{FunctionName}"),
    ("logs DescribeLogGroups", "*"),
    ("logs *Resource", "{resourceArn}"),
    ("logs *", "log-group:{logGroupName}"),
    ("monitoring DescribeAlarms", "alarm:{AlarmNames}"),
    ("monitoring *Alarm", "alarm:{AlarmName}"),
    ("monitoring *Alarms", "alarm:{AlarmNames}"),
    ("monitoring DeleteDashboards", "dashboard/{DashboardNames}"),
    ("monitoring *Dashboard", "dashboard/{DashboardName}"),
    ("monitoring *Resource", "{ResourceARN}"),
    ("s3 *Object", "{Bucket}/{Key}"),
    ("s3 *ObjectTagging", "{Bucket}/{Key}"),
    ("s3 *", "{Bucket}"),
    ("servicequotas *", "*"),
    ("sns CreateTopic", "{Name}"),
    ("sns *Subscri*Attributes", "*"),
    ("sns Unsubscribe", "*"),
    ("sns *Resource", "{ResourceArn}"),
    ("sns *", "{TopicArn}"),
    ("sqs CreateQueue", "{QueueName}"),
    ("sqs *", "{QueueUrl}"),
    ("ssm AddTagsToResource", "parameter{ResourceId}"),
    ("ssm GetParametersByPath", "parameter{Path}"),
    ("ssm *", "parameter{Name}"),
    ("sts AssumeRole", "{RoleArn}"),
)
"""The resource of each operation; the first pattern that fits counts. `*` for an action without resource types."""


def further_needs(call: Call) -> Iterator[tuple[str, str, Keys]]:
    """What else AWS wants to be allowed for a call, which no call of its own shows: action, resource, condition keys.

    "Dependent actions" in the service authorization reference.
    """
    given, (region, account) = call.parameters, (call.region, call.caller.split(":")[4])
    match f"{call.service} {call.operation}":
        case "autoscaling CreateAutoScalingGroup" | "autoscaling UpdateAutoScalingGroup" if "LaunchTemplate" in given:
            # not in the reference, but in Auto Scaling's user guide, "Control Amazon EC2 launch template usage"
            yield from _launches(f"arn:aws:ec2:{region}:{account}", given["LaunchTemplate"])
        case "autoscaling StartInstanceRefresh" if "DesiredConfiguration" in given:
            # it gives the group another template version, so AWS checks what it checks in an update (ditto); the role
            # of the instance profile in the template is not in the call, and Goldsmith's have the name of the group
            template = _template_of(given["DesiredConfiguration"])
            yield from _launches(f"arn:aws:ec2:{region}:{account}", template)
            yield _pass_role(f"arn:aws:iam::{account}:role/{given['AutoScalingGroupName']}", "ec2")
        case "iam AddRoleToInstanceProfile":
            yield _pass_role(f"arn:aws:iam::{account}:role/{given['RoleName']}", "ec2")
        case "imagebuilder CreateInfrastructureConfiguration" | "imagebuilder UpdateInfrastructureConfiguration":
            # Goldsmith gives a role and its instance profile the same name
            yield _pass_role(f"arn:aws:iam::{account}:role/{given['instanceProfileName']}", "ec2")
            yield "sns:Publish", given["snsTopicArn"], {}
            if "placement" in given:
                yield from (("ec2:DescribeAvailabilityZones", "*", {}), ("ec2:DescribeHosts", "*", {}))
        case "imagebuilder CreateImagePipeline" | "imagebuilder UpdateImagePipeline":
            yield from _of_pipeline(given, repositories=f"arn:aws:ecr:{region}:{account}:repository/")
        case "imagebuilder CreateLifecyclePolicy" | "imagebuilder UpdateLifecyclePolicy":
            yield _pass_role(given["executionRole"], "imagebuilder")
        case "imagebuilder CreateImageRecipe" | "imagebuilder CreateContainerRecipe":
            yield from (("imagebuilder:GetComponent", each["componentArn"], {}) for each in given["components"])
            yield from _of_parent(given["parentImage"], parameters=f"arn:aws:ssm:{region}:{account}:parameter")
            yield from _of_document(given.get("dockerfileTemplateUri"))
        case "imagebuilder CreateComponent" | "imagebuilder CreateWorkflow":
            yield from _of_document(given.get("uri"))
        case "kms CreateKey":
            yield "kms:PutKeyPolicy", "*", {}
        case "lambda CreateFunction":
            yield _pass_role(given["Role"], "lambda")
        case "imagebuilder StartImagePipelineExecution" if given.get("tags"):
            builds = given["imagePipelineArn"].replace(":image-pipeline/", ":image/") + "/*"
            yield "imagebuilder:TagResource", builds, {}
        case "s3 PutObject" if "-goldsmith-history-" not in given["Bucket"]:  # in a bucket with a key of KMS
            yield "kms:GenerateDataKey", _ANY_KEY, {_CONTEXT: f"arn:aws:s3:::{given['Bucket']}"}


_ANY_KEY = "arn:aws:kms:eu-west-1:ACCOUNT:key/assumed"
_CONTEXT = "kms:encryptioncontext:aws:s3:arn"


def _template_of(configuration: Mapping[str, Any]) -> Mapping[str, Any]:
    """The launch template of a desired configuration."""
    template: Mapping[str, Any] = configuration.get("LaunchTemplate", {})
    return template or configuration["MixedInstancesPolicy"]["LaunchTemplate"]["LaunchTemplateSpecification"]


def _launches(place: str, template: Mapping[str, Any]) -> Iterator[tuple[str, str, Keys]]:
    """What a caller needs who makes a group launch from a template."""
    arn, instances = f"{place}:launch-template/{template['LaunchTemplateId']}", f"{place}:instance/*"
    yield "ec2:RunInstances", instances, {"ec2:launchtemplate": arn}
    yield "ec2:CreateTags", instances, {"ec2:createaction": "RunInstances"}


def _pass_role(role: str, service: str) -> tuple[str, str, Keys]:
    return "iam:PassRole", role, {"iam:passedtoservice": f"{service}.amazonaws.com"}


def _of_pipeline(given: Mapping[str, Any], *, repositories: str) -> Iterator[tuple[str, str, Keys]]:
    if "executionRole" in given:
        yield _pass_role(given["executionRole"], "imagebuilder")
    yield from (("imagebuilder:GetWorkflow", each["workflowArn"], {}) for each in given.get("workflows", []))
    for kind in ("ContainerRecipe", "DistributionConfiguration", "ImageRecipe", "InfrastructureConfiguration"):
        if arn := given.get(f"{kind[0].lower()}{kind[1:]}Arn"):
            yield f"imagebuilder:Get{kind}", arn, {}
    if given.get("imageScanningConfiguration", {}).get("imageScanningEnabled"):
        yield "inspector2:BatchGetAccountStatus", "*", {}
        if "containerRecipeArn" in given:
            name = given["containerRecipeArn"].split("/")[1].replace("-", "/", 1)
            yield "ecr:BatchGetRepositoryScanningConfiguration", repositories + name, {}


def _of_parent(parent: str, *, parameters: str) -> Iterator[tuple[str, str, Keys]]:
    if parent.startswith("arn:"):
        yield "imagebuilder:GetImage", parent, {}
    elif parent.startswith("ssm:"):
        yield "ssm:GetParameter", parameters + parent.removeprefix("ssm:"), {}
    elif parent.startswith("ami-"):
        yield "ec2:DescribeImages", "*", {}


def _of_document(uri: str | None) -> Iterator[tuple[str, str, Keys]]:
    """Image Builder reads it with the permissions of the caller."""
    if uri:
        bucket, _, key = uri.removeprefix("s3://").partition("/")
        yield "s3:ListBucket", f"arn:aws:s3:::{bucket}", {}
        yield "s3:GetObject", f"arn:aws:s3:::{bucket}/{key}", {}
        yield "kms:Decrypt", _ANY_KEY, {_CONTEXT: f"arn:aws:s3:::{bucket}"}
