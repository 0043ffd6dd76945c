"""The rules of rollouts, which `goldsmith rollout` and the function of a fleet with `updates: automatic` share.

    configuration  what is known about a fleet without AWS: the file that the function has
    windows        when a rollout may start: windows of a week, and freezes
    group          reads the group, its launch template and its instance refreshes
    record         what was tried and how it ended
    evidence       what other fleets have proved for a build
    guards         whether an AMI may be launched
    look           reads everything before something is decided
    decisions      what comes next
    refreshes      starts and ends instance refreshes
    run            one run: look, decide, and do it
    handler        the entry point of the function
    log_line       its log line, with the metrics that the alarms watch
    notices        what people are notified of, one sentence each

They use modules of the hand-off, and nothing else but boto3, which the Lambda runtime has.
"""
