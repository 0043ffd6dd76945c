"""One process of Terraform's AWS provider for many commands, instead of several for each.

Terraform connects to a provider that runs already when `TF_REATTACH_PROVIDERS` says how; the provider's `-debug` starts
it that way (Terraform's documentation, "Debugging Providers"). It is the same provider, and is configured anew by each
command. All provider blocks of a configuration share it, so there may be only one, and commands that run at the same
time must agree.
"""

import json
import subprocess
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path

from scripts import terraform

_SETTING = "TF_REATTACH_PROVIDERS"


@contextmanager
def running_provider(environ: Mapping[str, str], *, folder: Path) -> Iterator[Mapping[str, str]]:
    """`environ`, in which commands find the provider that runs until the end of the context."""
    required = {"terraform": {"required_providers": {"aws": terraform.PROVIDER}}}
    (folder / "main.tf.json").write_text(json.dumps(required))
    terraform.run("init", "-backend=false", folder=folder, environ=environ)
    (program,) = (folder / ".terraform" / "providers").glob("registry.terraform.io/hashicorp/aws/*/*/terraform-*")
    # The shell ends the provider when its standard input closes, so also when this process is killed.
    process = subprocess.Popen(
        ["sh", "-c", '"$1" -debug & cat > /dev/null; kill $!', "sh", program],
        env={**environ},
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        stderr=subprocess.DEVNULL,
        text=True,
    )
    with process:
        assert process.stdout is not None
        setting = next(line.strip() for line in process.stdout if line.strip().startswith(_SETTING))
        yield {**environ, _SETTING: setting.partition("=")[2].strip("'")}
