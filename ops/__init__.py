"""The commands of `goldsmith`; `goldsmith --help` lists them.

    command_line   the parser
    arguments      what several command lines have in common
    commands       a module for each command: its command line with help
    renamed        refuses names of before, with the command to type
    configuration  where the configuration is, and loading it

    build          starts and follows builds, and prints the result
    follow         a build from its first status until `latest` points to its outputs
    promote        points a channel to a build (promotion_rules says what is wrong with it), or to AMIs of elsewhere
    revoke         lets nothing use a build any more (revocation does it, affected and ancestry say what that means,
                   moves_away rolls channels back)
    hold           lets nothing move an image's channels for a while
    handoff_start  lets the hand-off function run now
    rollback       points a channel to where it was before; rollback_without_home while the home region does not answer
    history        who moved which channel, when and why (history_tables prints it); past_moves reads the bucket
    confirmed_move shows a move, asks, makes it, and shows what became of it
    moving         moves channels by the hand-off's own code
    sight          what a look at an image has found
    pin            takes what channels point to into pins.yaml (pin_proposal looks at a fleet, and pin_file writes)
    rollout        brings fleets to the newest version of their launch template, and follows that (rollout_fleets
                   reaches them, rollout_progress says how far one is, rollout_result how it ended, and rollout_screen
                   prints it)
    ends           how builds end, and why one failed
    commit         the commit of the configuration, which builds are tagged with
    progress       shows a build that runs
    status         every channel of every image, and every fleet
    image_status   one image: its builds and channels
    build_status   one build
    values         what a channel's value is
    fleet          one fleet, as AWS has it
    fleet_status   one fleet, as `status` shows it
    gaps           why a fleet is not what it should be, and what to do
    status_tables  prints what `status` found
    doctor         checks this machine (doctor_machine) and AWS (doctor_aws, permissions, quotas); a finding is a line
    parent         the newest parent image of an operating system
    check          problems of the configuration, and generated files that are out of date (check_snapshots compares
                   with what a team has reviewed)
    plan           plans many stacks side by side (plan_result reads Terraform's JSON, plan_screen prints, plan_folder
                   has the format of what is written, providers installs Terraform's providers, jobs says how many
                   fit, alone keeps two commands apart)
    apply          applies saved plans and has their fleets rolled out (planned_amis looks at their AMIs once more)
    changed_stacks which stacks differ from those of a commit
    snapshots      the Terraform of each stack as a team reviews it
    synthesis      writes the Terraform of all stacks
    destroy        shows what a stack's destruction means, asks, and runs Terraform
    make           checks before `make plan`, `deploy` and `destroy` run cdktf
    precautions    these checks, and that of `destroy`

    selection      what references of a command line name
    named_build    the build that a reference means
    pipeline       an image's pipeline as it is deployed, and its builds as a person names them
    states         Terraform's states, where this machine can read them
    accounts       the accounts of an estate, and how the commands get into each: one `Aws` for each
    reader_role    whether a fleet can assume the role that reads its image's account
    aws            AWS: sessions, clients, and errors as messages
    programs       runs programs that must end properly after Ctrl-C
    question       asks before something is changed
    errors         what stops a command, each with its exit status
    times          times on the command line
    screen         the look of output on a terminal and in a pipe

Exit status 0 after success; 1 when something failed or needs a person; 2 when the configuration or the command line has
errors; 130 after Ctrl-C.
"""
