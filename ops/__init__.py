"""Commands besides Terraform: `python -m ops build`, `follow`, `status` and `parent`; `--help` shows examples.

    command_line   the parser
    build          `build` and `follow`: starts a build, and prints the result of following it
    follow         a build from its first status until `latest` points to its outputs
    progress       shows a build that runs
    status         `status`: every channel of every image, and every fleet
    image_status   one image: its builds and channels
    values         what a channel's value is
    fleet          one fleet, as AWS has it
    fleet_status   one fleet, as `status` shows it
    gaps           why a fleet is not what it should be, and what to do
    status_tables  prints what `status` found
    parent         `parent`: the newest parent image of an operating system
    pipeline       an image's pipeline as it is deployed, and its builds as a person names them
    make           checks before `make plan`, `deploy` and `destroy` run cdktf
    states         Terraform's states, where this machine can read them
    configuration  loads the estate
    aws            AWS with the operator's own credentials, and its errors as messages
    errors         what stops a command, each with its exit status
    screen         the look of output on a terminal and in a pipe

Exit status 0 after success; 1 when AWS refused, a build failed or its hand-off did not happen; 2 when the configuration
or the command line has errors; 130 after Ctrl-C.
"""
