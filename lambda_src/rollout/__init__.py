"""The rules of rollouts that `goldsmith rollout` and, later, the fleet's function share.

    windows  when a rollout may start: windows of a week, and freezes

Nothing but Python's standard library is needed.
"""
