"""`python -m local_aws`: the server is in `serve`, which is imported where Ctrl-C is known to end it."""

import entry


def main() -> int:
    """Serve until stopped; the exit status."""
    from local_aws import serve

    return serve.main()


if __name__ == "__main__":
    entry.run("-m local_aws", main)
