"""The action modules of AWS's Task Orchestrator and Executor, which a step names as its `action`: data.

Source: "Action modules supported by AWSTOE component manager" in the user guide of EC2 Image Builder. Where AWS's
published samples use more than the guide describes, the samples count.
"""

from collections.abc import Iterator
from typing import Any

from estate.documents import actions, words
from estate.problems import Problem, shown


def _lines(lines: Any) -> Iterator[Problem]:
    if not isinstance(lines, list):
        yield Problem((), "must be a list", shown(lines), "write a - before it")
        return
    for index, line in enumerate(lines):
        if isinstance(line, dict | list | None):
            # YAML reads a command with a colon and a space in it as a mapping
            yield Problem((index,), "must be text", shown(line), "put it in quotes")


# only: the platforms, if it does not run on all; listed: it takes a list of inputs and works through them, and a single
# mapping too; once: AWS refuses maxAttempts and timeoutSeconds. The inputs of Assert are a condition. The guide has no
# `force` for files, a sample of AWS's uses it.
ACTION_MODULES = actions(
    """
Assert:
ExecuteBash: commands -> stdout; only Linux macOS
ExecuteBinary: path [arguments] -> stdout
ExecuteDocument: document [document-s3-bucket-owner phases parameters] -> ?; once
ExecutePowerShell: commands|file -> stdout; only Windows
S3Download: source destination [expectedBucketOwner overwrite]; listed
S3Upload: source destination [recurse expectedBucketOwner]; listed
WebDownload: source destination [overwrite checksum algorithm ignoreCertificateErrors] -> destination; listed
AppendFile: path [content encoding]; listed
CopyFile CopyFolder MoveFile MoveFolder: source destination [overwrite]; listed
CreateFile: path [content encoding owner group permissions overwrite]; listed
CreateFolder: path [owner group permissions overwrite]; listed
CreateSymlink: path target [force]; only Linux macOS; listed
DeleteFile DeleteFolder: path [force]; listed
ListFiles: path [fileNamePattern recursive] -> files; listed
ReadFile: path [encoding printFileContent] -> content; listed
SetFileEncoding: path [encoding]; listed
SetFileOwner: path owner [group]; only Linux macOS; listed
SetFolderOwner: path owner [group recursive]; only Linux macOS; listed
SetFilePermissions: path permissions; only Linux macOS; listed
SetFolderPermissions: path permissions [recursive]; only Linux macOS; listed
InstallMSI UninstallMSI: path
  [reboot logOptions logFile properties ignoreAuthenticodeSignatureErrors allowUnsignedInstaller] -> ?; only Windows
Reboot: [delaySeconds]
SetRegistry: path name value type; only Windows; listed
UpdateOS: [include exclude]; only Linux Windows
""",
    checks={"commands": _lines, "arguments": _lines},
)

OPERATORS = words(
    "stringIsEmpty stringIsWhitespace stringEquals stringLessThan stringLessThanEquals stringGreaterThan "
    "stringGreaterThanEquals patternMatches numberEquals numberLessThan numberLessThanEquals numberGreaterThan "
    "numberGreaterThanEquals binaryExists fileExists folderExists fileMD5Equals fileSHA1Equals fileSHA256Equals "
    "fileSHA512Equals"
)
"""Comparison operators of conditions, as far as they are known; AWS may have more. Source: "Use comparison operators
in AWSTOE component documents"."""
