"""`goldsmith report`: what a reviewer of a pull request reads about the plans of its stacks.

It runs in one direction: `sources` and `plan` read what `terraform show -json` wrote into frozen values, and `fleet`
finds the fleets in them. `lookup` asks configuration and AWS about these, where that is possible, and gives `facts`.
`make` makes a `document` of both, without AWS and without a form, and `markdown`, `text` and `members` write it.
"""
