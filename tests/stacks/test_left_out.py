"""Fields that can be deleted again: what AWS's provider keeps where an argument is left out is written always."""

from tests.support.estates import ESTATES, reviewed

KEPT = {
    "aws_autoscaling_group": ("target_group_arns", "tag", "health_check_type", "health_check_grace_period"),
    "aws_launch_template": ("metadata_options", "vpc_security_group_ids", "tag_specifications"),
}
"""Arguments that are optional and computed in the provider's schema, or have inner ones that are. The group's
`desired_capacity` is kept by intention: scaling policies change it."""


def test_a_field_of_a_fleet_that_is_deleted_is_removed_in_aws() -> None:
    found = dict.fromkeys(KEPT, 0)
    for name in ESTATES:
        for stack, synthesized in reviewed(name).items():
            for kind, arguments in KEPT.items():
                for resource in synthesized["resource"].get(kind, {}).values():
                    missing = set(arguments) - resource.keys()
                    assert missing == set(), (name, stack, kind)
                    found[kind] += 1
    assert all(found.values())
