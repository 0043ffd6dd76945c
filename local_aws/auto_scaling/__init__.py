"""Auto Scaling: groups whose instances are launched and replaced as in AWS, over a time that tests can move.

ministack keeps what a group is made with (tags, zones, policies, hooks); its groups never replace anything. Here are
the sizes, the instances and the instance refreshes of groups.

app -> rollout -> groups, refreshes

`app` answers requests. `rollout` moves a group from one moment at which something happens to the next, up to now,
whenever anything is asked of the local AWS: no task runs in the background, and an answer does not depend on who looked
before. `surroundings` is what a group needs of EC2, KMS and CloudWatch.
"""
