"""The hand-off: a Lambda function that moves the channels of an image to its good builds, in every region.

    configuration  what the function knows about its image
    handler        the entry point: an event comes in, one log line goes out
    messages       what the events of SNS say
    log_line       the log line, with the metrics that the alarms watch
    reconciler     the order of the steps in one run
    run            what all steps of a run share: the image, its regions, the time left, the report
    look           reads channels, holds, and moves that are not completed
    cache          what the last run knew, so that this one does not read it again
    known_builds   the builds that a run decides from
    latest         which build `latest` should point to in a region
    gate           whether the findings of a build's scan let it become `latest`
    soak           which build a channel with a soak time should point to
    moves          moves a channel: history first, then the parameters; completes what others began
    history        the moves, one object each in a bucket, whose numbers are their order
    revocations    the tag on the AMIs of revoked builds, which stops plans of fleets
    notices        what people are notified of, one sentence each
    tags           the tags on builds that lifecycle policies select by
    builds         what Image Builder made, and what is revoked of it
    outputs        what a build left in a region: an AMI, or a container image
    channels       a channel in Parameter Store, with its versions
    holds          what stops a channel
    answers        calls AWS, and reads its answers
    failures       collects what fails, and knows which failures a retry can fix

The commands of `goldsmith` use most of them: a person moves a channel by the same code. Nothing but boto3 is needed,
which the Lambda runtime has.
"""
