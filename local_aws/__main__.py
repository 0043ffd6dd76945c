"""`python -m local_aws`. The server is `serve`; it is imported only after Ctrl-C is handled."""

import entry


def main() -> int:
    """Serve until stopped; gives the exit status."""
    from local_aws import serve

    return serve.main()


if __name__ == "__main__":
    entry.run(".venv/bin/python -m local_aws", main)
