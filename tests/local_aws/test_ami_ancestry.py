"""GetImageAncestry on the local AWS: from which AMIs an AMI was made, back to the first one."""

import itertools
from typing import Any

from local_aws.server import LocalAws
from tests.support.image_builder import REGION, build, make_pipeline, refusal

OTHER = "666666666666"
numbers = itertools.count(1)


def ancestry(aws: LocalAws, ami: str, *, region: str = REGION, account: str = "000000000000") -> list[dict[str, Any]]:
    entries = aws.client("ec2", region=region, account=account).get_image_ancestry(ImageId=ami)["ImageAncestryEntries"]
    return list(entries)


def test_ancestors_are_those_that_the_build_was_made_from_also_when_they_are_gone(
    local_aws: LocalAws, image_builder: Any
) -> None:
    number = next(numbers)
    base, parameter = make_pipeline(local_aws, f"ancestry base {number}"), f"/imagebuilder/ancestry/{number}"
    ssm = local_aws.client("ssm", region=REGION)

    def build_base() -> str:
        ami: str = build(image_builder, base)["outputResources"]["amis"][0]["image"]
        ssm.put_parameter(Name=parameter, Value=ami, Type="String", Overwrite=True)
        return ami

    parent = build_base()
    child = make_pipeline(local_aws, f"ancestry child {number}", parent=f"ssm:{parameter}")
    image = build(image_builder, child)
    here, abroad = image["outputResources"]["amis"]
    build_base()  # the parameter moves on

    ec2 = local_aws.client("ec2", region=REGION)
    ec2.deregister_image(ImageId=parent)
    copied, made, from_base, public = ancestry(local_aws, abroad["image"], region=abroad["region"])
    assert (copied["ImageId"], copied["SourceImageId"], copied["SourceImageRegion"]) == (
        abroad["image"],
        here["image"],
        REGION,
    )
    assert (made["ImageId"], made["SourceImageId"]) == (here["image"], parent)
    assert from_base["ImageId"] == parent
    assert from_base["CreationDate"] < made["CreationDate"] < copied["CreationDate"]
    assert (public["ImageId"], public["ImageOwnerAlias"]) == (from_base["SourceImageId"], "amazon")
    assert "SourceImageId" not in public
    assert ancestry(local_aws, here["image"]) == [made, from_base, public]
    assert ancestry(local_aws, public["ImageId"]) == [public]


def test_account_that_sees_the_ami_sees_its_ancestors_too(local_aws: LocalAws, image_builder: Any) -> None:
    pipeline = make_pipeline(local_aws, f"ancestry shared {next(numbers)}")
    ami = build(image_builder, pipeline)["outputResources"]["amis"][0]["image"]
    others = local_aws.client("ec2", region=REGION, account=OTHER)
    unknown = f"InvalidAMIID.NotFound: The image id '[{ami}]' does not exist"
    assert refusal(others.get_image_ancestry, ImageId=ami) == unknown
    local_aws.client("ec2", region=REGION).modify_image_attribute(
        ImageId=ami, LaunchPermission={"Add": [{"UserId": OTHER}]}
    )
    assert ancestry(local_aws, ami, account=OTHER) == ancestry(local_aws, ami)


def test_ami_that_was_registered_from_snapshots_has_no_known_source(local_aws: LocalAws) -> None:
    ec2 = local_aws.client("ec2", region=REGION)
    ami = ec2.register_image(Name=f"first {next(numbers)}", Architecture="x86_64", RootDeviceName="/dev/xvda")
    (entry,) = ancestry(local_aws, ami["ImageId"])
    assert entry.keys() == {"CreationDate", "ImageId"}
    assert refusal(ec2.get_image_ancestry, ImageId="ami-00000000000000000").startswith("InvalidAMIID.NotFound: ")
