"""What a person runs beside Terraform: `python -m ops build`, `follow`, `status` and `parent`; `--help` shows examples.

    __main__   the command line
    build      starts a build; prints what following one found
    follow     a build from its first state until `latest` points to its AMIs
    status     every channel of every image
    parent     the newest parent image of an operating system
    pipeline   an image's pipeline as it is deployed, and its builds as a person names them
    make       what to know before `make plan`, `deploy` and `destroy` run cdktf
    states     Terraform's states, as far as this machine can see them
    aws        AWS under the operator's own identity, and its refusals in words
    screen     how output looks on a terminal and in a pipe

Exit status 0 when all is well; 1 when AWS refused, a build failed or its hand-off did not happen; 2 when the
configuration or the command line has errors; 130 after Ctrl-C.
"""
