"""The hand-off: a Lambda function that moves an image's channel `latest` to the newest good build, in every region.

    configuration  what the function knows about its image
    handler        the entry point: an event comes in, one log line goes out
    messages       what the events of SNS say
    log_line       the log line, with the metrics that the alarms watch
    reconciler     the order of the steps in one run
    run            what all steps of a run share: the image, its regions, the time left, the report
    known_builds   the builds that a run decides from
    latest         which build `latest` should point to in a region
    moves          moves a channel, and waits until Parameter Store shows it
    tags           the tags on builds that lifecycle policies select by
    builds         what Image Builder made
    outputs        what a build left in a region: an AMI, or a container image
    channels       a channel in Parameter Store, with its history
    answers        calls AWS, and reads its answers
    failures       collects what fails, and knows which failures a retry can fix

The commands of `goldsmith` use `builds`, `outputs`, `channels`, `answers` and `failures` as well. Nothing but boto3 is
needed, which the Lambda runtime has.
"""
