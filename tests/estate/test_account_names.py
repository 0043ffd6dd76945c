"""Accounts by their names in `settings.accounts`: of images and fleets, of those with which AMIs are shared, and of a
boundary."""

from pathlib import Path

import pytest

from estate.estate import Estate
from estate.load import explain, load
from estate.models.images import by_kind
from estate.problems import EstateError

IMAGES, PROD = "111111111111", "333333333333"
ESTATE = f"""\
settings:
  namespace: acme
  iam: {{permissions_boundary: team/boundary}}
  accounts:
    images: {{id: "{IMAGES}", role: team/goldsmith, external_id: acme, session_name: goldsmith}}
    prod: {{id: "{PROD}", role: goldsmith}}
defaults:
  images:
    account: images
    regions: [eu-west-1]
    launch_permission: &permission {{accounts: [prod, "444455556666"]}}
images:
  web:
    os: amazon-linux-2023
    build: [update-os]
    distribution:
      eu-west-1:
        kms_key_id: arn:aws:kms:eu-west-1:{IMAGES}:key/1f2e
        launch_templates: [{{launch_template_id: lt-0123456789abcdef0, account_id: prod}}]
    retention: {{keep_newest: 3, exclusion_rules: {{shared_accounts: [prod]}}}}
  jobs:
    os: amazon-linux-2023
    build: [update-os]
    launch_permission: *permission
    target_accounts: [prod]
fleets:
  jobs-prod:
    image: jobs
    account: prod
    channel: latest
    region: eu-west-1
    instance_type: t3.small
    subnets: [subnet-0a]
    capacity: {{min: 1, max: 2}}
"""
ONE_ACCOUNT = f"""\
settings: {{namespace: acme, accounts: {{images: {{id: "{IMAGES}"}}}}}}
defaults:
  images: {{regions: [eu-west-1], build: [update-os]}}
  fleets: {{image: web, channel: latest, region: eu-west-1, subnets: [subnet-0a], capacity: {{min: 1, max: 2}}}}
images:
  web: {{os: amazon-linux-2023}}
  box: {{kind: container, parent: "nginx:1.29"}}
fleets:
  web-dev: {{instance_type: t3.small}}
"""


def loaded(folder: Path, text: str = ESTATE) -> Estate:
    (folder / "estate.yaml").write_text(text, encoding="utf-8")
    return load(folder)


def test_names_stand_for_ids_wherever_an_image_names_accounts(tmp_path: Path) -> None:
    images, _ = by_kind(loaded(tmp_path).images)
    permissions = {name: image.launch_permissions for name, image in images.items()}
    assert {name: each and each.accounts for name, each in permissions.items()} == dict.fromkeys(
        ("web", "jobs"), (PROD, "444455556666")
    )
    assert images["jobs"].target_accounts == (PROD,)
    assert [each.account_id for each in images["web"].distribution_in("eu-west-1").launch_templates] == [PROD]
    assert images["web"].retention and images["web"].retention.exclusion_rules.shared_accounts == (PROD,)


def test_explain_shows_what_is_written(tmp_path: Path) -> None:
    loaded(tmp_path)
    fields = {field.field: field.value for field in explain(tmp_path, "jobs")}
    assert fields["target_accounts"] == "[prod]"
    assert fields["launch_permission"] == '{accounts: [prod, "444455556666"]}'


def test_a_name_that_the_settings_do_not_have_is_refused_once(tmp_path: Path) -> None:
    with pytest.raises(EstateError) as raised:
        loaded(tmp_path, ESTATE.replace("target_accounts: [prod]", "target_accounts: [prd]"))
    assert str(raised.value) == (
        f"{tmp_path}/estate.yaml:25 images.jobs.target_accounts.0: must be an account ID, or a name in "
        "settings.accounts, got 'prd'; write twelve digits in quotes, or add the account to settings.accounts"
    )


def test_the_only_account_is_that_of_every_image_and_fleet(tmp_path: Path) -> None:
    estate = loaded(tmp_path, ONE_ACCOUNT)
    assert {estate.image(name).account for name in estate.images} == {IMAGES}
    assert {estate.fleet(name).account for name in estate.fleets} == {IMAGES}
    assert estate.state_of("image-web") == f"acme/{IMAGES}/image-web.eu-west-1.tfstate"
    (account,) = (field for field in explain(tmp_path, "web") if field.field == "account")
    assert (account.value, account.key) == ("images", "settings.accounts.images")


def test_the_role_and_its_session_lead_into_an_account(tmp_path: Path) -> None:
    provider = loaded(tmp_path).image("web").provider
    assert provider.account == IMAGES
    assert provider.assume_role and provider.assume_role.arguments == {
        "role_arn": f"arn:aws:iam::{IMAGES}:role/team/goldsmith",
        "external_id": "acme",
        "session_name": "goldsmith",
    }


def test_what_is_special_for_a_fleet_goes_before_its_account(tmp_path: Path) -> None:
    special = (
        f"provider: {{profile: ops, assume_role: {{role_arn: 'arn:aws:iam::{PROD}:role/special', external_id: x7}}}}"
    )
    estate = ESTATE.replace("    image: jobs\n", f"    image: jobs\n    {special}\n")
    provider = loaded(tmp_path, estate).fleet("jobs-prod").provider
    assert (provider.profile, provider.account) == ("ops", PROD)
    assert provider.assume_role and provider.assume_role.arguments == {
        "role_arn": f"arn:aws:iam::{PROD}:role/special",
        "external_id": "x7",
    }


def test_a_boundary_has_its_name_in_each_account(tmp_path: Path) -> None:
    estate = loaded(tmp_path)
    assert estate.image("web").iam.permissions_boundary == f"arn:aws:iam::{IMAGES}:policy/team/boundary"
    assert estate.fleet("jobs-prod").iam.permissions_boundary == f"arn:aws:iam::{PROD}:policy/team/boundary"
