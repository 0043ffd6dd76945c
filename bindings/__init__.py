"""The AWS bindings of CDK for Terraform, loaded only as far as `stacks/` uses them: `bindings.start()`.

A program calls it once, before it imports `stacks` or cdktf. Without it everything works as cdktf does by itself: it
takes ten seconds longer and runs the `node` that is first on the PATH. `fast` loads them, with `node`;
`slim` makes the copy that it loads.
"""

from bindings.fast import start

__all__ = ["start"]
