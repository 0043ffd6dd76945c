"""An estate that says everything, and what tests do to values: paths, replacements, whatever can be written."""

from collections.abc import Iterator
from copy import deepcopy
from functools import cache
from typing import Any

from hypothesis import strategies as st
from ruamel.yaml import YAML

PINS = """\
pins:
  web-prod:
    image: web
    build: "2.3.671820532/3"
    channel: prod
    region: us-east-1
    ami: ami-0123456789abcdef0
    owner: "123456789012"
    key: arn:aws:kms:us-east-1:123456789012:key/1f2e
    created: "2026-11-24T03:12:00+00:00"
    proved:
      - web-staging has run it since 22 Nov 03:12
"""
"""The `pins.yaml` of the estate that says everything."""
FULL = """\
settings:
  namespace: acme
  providers: {aws: ">= 6.40.0, < 7.0.0"}
  backend:
    s3:
      bucket: acme-state
      region: eu-west-1
      key_prefix: golden/images
      use_lockfile: false
      kms_key_id: alias/state
      account: main
  accounts:
    main: {id: "123456789012", role: goldsmith, profile: main, external_id: acme, session_name: goldsmith}
  iam:
    path: /goldsmith/
    permissions_boundary: arn:aws:iam::aws:policy/PowerUserAccess
  tags: {team: platform}
  kms_key_id: arn:aws:kms:eu-west-1:123456789012:key/1f2e
  alarm_actions: ["arn:aws:sns:eu-west-1:123456789012:on-call"]
  dashboards: true
  history_kept_for: 3 years
  freeze: [{from: "2026-12-28", to: "2027-01-05", why: year end, time_zone: Asia/Tokyo}]
defaults:
  images: {account: main}
  fleets: {guards: stop}
environments:
  staging: {max_age: 20 days}
  prod: {max_age: 20 days, metadata_options: {http_put_response_hop_limit: 1}}
images:
  web:
    account: main
    os: ubuntu-server-24.04
    architecture: arm64
    version: "2.3"
    description: Web servers
    parent: ami-0123456789abcdef0
    build:
      - use: install-packages
        with: {packages: nginx}
      - arn:aws:imagebuilder:eu-west-1:aws:component/amazon-cloudwatch-agent-linux/1.0.0
    test: [boots]
    schedule: {cron: "0 3 ? * sun *", timezone: Asia/Tokyo, when: always}
    regions: [eu-west-1, us-east-1]
    channels: {staging: {from: latest, soak: 1 day}, prod: {from: staging}}
    root_volume: {volume_size: 100, volume_type: gp3, iops: 16000, throughput: 250}
    volumes:
      /dev/sdf:
        volume_size: 100
        volume_type: gp3
        iops: 4000
        throughput: 250
        snapshot_id: snap-0123456789abcdef0
        delete_on_termination: false
    infrastructure:
      instance_types: [m7g.medium]
      subnet_id: subnet-0a
      security_group_ids: [sg-0a]
      placement: {tenancy: host, host_id: h-0a, availability_zone: eu-west-1a}
      key_pair: builders
      instance_metadata_options: {http_tokens: optional, http_put_response_hop_limit: 3}
      terminate_instance_on_failure: false
    image_tests: {image_tests_enabled: true, timeout: 90 minutes}
    workflows:
      build: {use: "arn:aws:imagebuilder:eu-west-1:aws:workflow/build/build-image/x.x.x", with: {tries: 3}}
      test:
        - use: arn:aws:imagebuilder:eu-west-1:aws:workflow/test/test-image/x.x.x
          with: {really: true}
          parallel_group: all
          on_failure: CONTINUE
      distribution: arn:aws:imagebuilder:eu-west-1:aws:workflow/distribution/distribute-image/x.x.x
      execution_role: arn:aws:iam::123456789012:role/workflows
    image_scanning: {image_scanning_enabled: true}
    gate: {max_severity: high, except: [{cve: CVE-2026-12345, until: "2027-01-31", why: there is no fix yet}]}
    enhanced_image_metadata_enabled: false
    log_retention: 30 days
    retention:
      keep_newest: 5
      deprecate_after: 90 days
      disable_after: 6 months
      delete_after: 1 year
      exclusion_rules:
        last_launched: 60 days
        tag_map: {keep: forever}
        shared_accounts: ["210987654321"]
        regions: [us-east-1]
    notifications:
      emails: [team@example.com]
      topic_arns: ["arn:aws:sns:eu-west-1:123456789012:chat"]
      no_new_image_for: 2 weeks
    distribution:
      eu-west-1:
        ami_name: acme.web.{{ imagebuilder:buildDate }}
        kms_key_id: arn:aws:kms:eu-west-1:123456789012:key/1f2e
        ami_tags: {tier: home}
        launch_templates: [{launch_template_id: lt-0123456789abcdef0, account_id: "210987654321", default: false}]
        license_configuration_arns:
          - arn:aws:license-manager:eu-west-1:123456789012:license-configuration:lic-0123456789abcdef0123456789abcdef
      us-east-1: {kms_key_id: "arn:aws:kms:us-east-1:123456789012:key/1f2e"}
    launch_permission:
      accounts: ["210987654321"]
      organizations: ["arn:aws:organizations::123456789012:organization/o-a1b2c3d4e5"]
      organizational_units: ["arn:aws:organizations::123456789012:ou/o-a1b2c3d4e5/ou-ab12-cd34ef56"]
    target_accounts: ["111122223333"]
    external_fleets: true
    accept: [ami-0123456789abcdef0]
    tags: {tier: web}
  desktop:
    os: windows-server-2022-full
    build: [update-os]
    regions: [eu-west-1]
    distribution:
      eu-west-1:
        fast_launch:
          max_parallel_launches: 10
          target_resource_count: 20
          launch_template_id: lt-0123456789abcdef0
          launch_template_version: "3"
  kiosk:
    os: ubuntu-server-24.04
    parent: {disk_image: s3://acme-disks/noble.vmdk, format: VMDK, boot_mode: uefi}
    build: [update-os]
    regions: [eu-west-1]
    root_volume: {encrypted: false}
    export: {disk_image_format: VHD, s3_bucket: acme-exports, s3_prefix: kiosk}
  till:
    os: ubuntu-server-24.04
    build: [update-os]
    regions: [eu-west-1]
    root_volume: {encrypted: false}
    infrastructure:
      placement:
        tenancy: host
        host_resource_group_arn: arn:aws:resource-groups:eu-west-1:123456789012:group/hosts
    export: {disk_image_format: RAW, retention: 30 days}
  box:
    kind: container
    image_scanning: {image_scanning_enabled: true, ecr_configuration: {repository_name: team/unscanned}}
    parent: nginx:1.29
    platform: Linux
    dockerfile: |
      FROM {{{ imagebuilder:parentImage }}}
      {{{ imagebuilder:environments }}}
      {{{ imagebuilder:components }}}
    working_directory: /work
    repository:
      scan_on_push: false
      image_tag_mutability: MUTABLE
      kms_keys: {eu-west-1: "arn:aws:kms:eu-west-1:123456789012:key/1f2e"}
      keep_newest: 10
      force_delete: true
    container_tags: [newest]
    instance:
      image: ami-0123456789abcdef0
      device_name: /dev/sda1
      root_volume: {volume_size: 50, iops: 4000, throughput: 250}
    build: [update-os]
    regions: [eu-west-1]
  golden:
    external: {namespace: platform, account: main, name: base, iam_path: /platform/}
    platform: Linux
    architecture: arm64
    regions: [eu-west-1, us-east-1]
    channels: [stable]
    root_volume: {encrypted: true, volume_size: 20}
    volumes: {/dev/sdf: {volume_size: 20}}
    distribution: {eu-west-1: {kms_key_id: "arn:aws:kms:eu-west-1:123456789012:key/1f2e"}}
    target_accounts: ["111122223333"]
    accept: [ami-0123456789abcdef0]
fleets:
  web-prod:
    image: web
    environment: prod
    account: main
    provider:
      profile: fleets
      assume_role: {role_arn: "arn:aws:iam::123456789012:role/fleets", external_id: acme, session_name: fleets}
    channel: prod
    updates: plan
    region: us-east-1
    instance_type: c7g.large
    subnets: [subnet-0a, subnet-0b]
    security_group_ids: [sg-0a]
    placement:
      tenancy: host
      host_resource_group_arn: arn:aws:resource-groups:us-east-1:123456789012:group/hosts
    license_configuration_arns: ["arn:aws:license-manager:us-east-1:123456789012:license-configuration:lic-0a"]
    instance_profile_arn: arn:aws:iam::123456789012:instance-profile/web
    user_data: "#!/bin/bash"
    capacity: {min: 1, max: 3, desired: 2}
    target_group_arns: ["arn:aws:elasticloadbalancing:us-east-1:123456789012:targetgroup/web/0123"]
    health_check: {type: ELB, grace_period: 60 seconds}
    rollout:
      by: goldsmith
      min_healthy_percentage: 50
      max_healthy_percentage: 150
      warmup: 60 seconds
      skip_matching: false
      alarms: [web-5xx]
      checkpoints: [20, 100]
      checkpoint_delay: 10 minutes
      bake: 15 minutes
      protected_instances: refresh
      standby_instances: terminate
      wave: 2
      hold_on_failure: true
    window: ["mon-thu 10:00-16:00 Asia/Tokyo"]
    after: {environment: staging, soak: 2 days}
    root_volume:
      volume_size: 100
      volume_type: gp3
      iops: 4000
      throughput: 250
      kms_key_id: arn:aws:kms:us-east-1:123456789012:key/1f2e
    volumes:
      /dev/sdg:
        volume_size: 100
        volume_type: gp3
        iops: 4000
        throughput: 250
        snapshot_id: snap-0123456789abcdef0
        kms_key_id: arn:aws:kms:us-east-1:123456789012:key/1f2e
        delete_on_termination: false
    metadata_options: {http_put_response_hop_limit: 2, instance_metadata_tags: true}
    notifications: {emails: [team@example.com], topic_arns: ["arn:aws:sns:us-east-1:123456789012:chat"]}
    max_age: 30 days
    guards: warn
    tags: {tier: web}
  web-staging:
    image: web
    environment: staging
    channel: staging
    region: eu-west-1
    instance_type: c7g.large
    subnets: [subnet-0a]
    capacity: {min: 1, max: 1}
"""


@cache
def plain(text: str) -> Any:
    """YAML as another reader has it. It is read once: make a copy to change it."""
    return YAML(typ="safe", pure=True).load(text)


def alone(estate: Any, path: tuple[Any, ...]) -> Any:
    """The estate without images that have nothing to do with the value at a path: neither it nor a fleet is theirs."""
    section, name, *_ = (*path, None, None)
    needed = {name if section == "images" else None, *(fleet["image"] for fleet in estate["fleets"].values())}
    return {**estate, "images": {key: image for key, image in estate["images"].items() if key in needed}}


def paths_of(value: Any, path: tuple[Any, ...] = ()) -> Iterator[tuple[Any, ...]]:
    """The path of every value inside."""
    for key, inner in value.items() if isinstance(value, dict) else enumerate(value):
        yield (*path, key)
        if isinstance(inner, dict | list):
            yield from paths_of(inner, (*path, key))


def replaced(value: Any, path: tuple[Any, ...], new: Any) -> Any:
    """A copy with another value at a path."""
    copy = deepcopy(value)
    inner = copy
    for part in path[:-1]:
        inner = inner[part]
    inner[path[-1]] = new
    return copy


WRITTEN = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats() | st.text() | st.sampled_from(["<<", "*x", "web", "1.0"]),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(), inner, max_size=3),
    max_leaves=5,
)
