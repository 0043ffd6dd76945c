"""What a configuration declares: pure models, checks and names.

Nothing here imports cdktf or boto3, so that commands and documentation load in a moment. The direction is
files -> `load` -> `Estate` -> `recipe` -> the stacks, and never back.
"""
