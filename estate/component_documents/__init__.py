"""Component documents of AWS's Task Orchestrator and Executor: text -> checked document."""
