"""The action modules of AWS's Task Orchestrator and Executor, which a step names as its `action`: data.

Source: "Action modules supported by AWSTOE component manager" in the user guide of EC2 Image Builder. Where AWS's
published samples write more than the guide knows, the samples count.
"""

from collections.abc import Mapping
from dataclasses import dataclass
from types import MappingProxyType

_EVERYWHERE = ("Linux", "Windows", "macOS")
_UNIX = ("Linux", "macOS")
_WINDOWS = ("Windows",)


@dataclass(frozen=True, kw_only=True)
class ActionModule:
    """What a module runs on, and what goes in and comes out."""

    platforms: tuple[str, ...] = _EVERYWHERE
    required: tuple[str, ...] = ()
    """Inputs without which it cannot run."""
    one_of: tuple[str, ...] = ()
    """Inputs of which it takes exactly one."""
    optional: tuple[str, ...] = ()
    listed: bool = False
    """Whether it takes a list of inputs and works through them; a single mapping is taken too."""
    outputs: tuple[str, ...] | None = ()
    """What later steps can refer to; None where the guide does not say."""
    runs_once: bool = False
    """Whether AWS refuses `maxAttempts` and `timeoutSeconds`."""

    @property
    def inputs(self) -> tuple[str, ...]:
        """All inputs that it knows."""
        return (*self.required, *self.one_of, *self.optional)

    @property
    def needed(self) -> tuple[str, ...]:
        """The inputs that a step writes at the least."""
        return (*self.required, *self.one_of[:1])


_COPY = ActionModule(required=("source", "destination"), optional=("overwrite",), listed=True)
_MSI = ActionModule(
    platforms=_WINDOWS,
    required=("path",),
    optional=(
        "reboot",
        "logOptions",
        "logFile",
        "properties",
        "ignoreAuthenticodeSignatureErrors",
        "allowUnsignedInstaller",
    ),
    outputs=None,
)

ACTION_MODULES: Mapping[str, ActionModule] = MappingProxyType(
    {
        # the inputs of Assert are a condition
        "Assert": ActionModule(),
        "ExecuteBash": ActionModule(platforms=_UNIX, required=("commands",), outputs=("stdout",)),
        "ExecuteBinary": ActionModule(required=("path",), optional=("arguments",), outputs=("stdout",)),
        "ExecuteDocument": ActionModule(
            required=("document",),
            optional=("document-s3-bucket-owner", "phases", "parameters"),
            outputs=None,
            runs_once=True,
        ),
        "ExecutePowerShell": ActionModule(platforms=_WINDOWS, one_of=("commands", "file"), outputs=("stdout",)),
        "S3Download": ActionModule(
            required=("source", "destination"), optional=("expectedBucketOwner", "overwrite"), listed=True
        ),
        "S3Upload": ActionModule(
            required=("source", "destination"), optional=("recurse", "expectedBucketOwner"), listed=True
        ),
        "WebDownload": ActionModule(
            required=("source", "destination"),
            optional=("overwrite", "checksum", "algorithm", "ignoreCertificateErrors"),
            listed=True,
            outputs=("destination",),
        ),
        "AppendFile": ActionModule(required=("path",), optional=("content", "encoding"), listed=True),
        "CopyFile": _COPY,
        "CopyFolder": _COPY,
        "CreateFile": ActionModule(
            required=("path",),
            optional=("content", "encoding", "owner", "group", "permissions", "overwrite"),
            listed=True,
        ),
        "CreateFolder": ActionModule(
            required=("path",), optional=("owner", "group", "permissions", "overwrite"), listed=True
        ),
        "CreateSymlink": ActionModule(platforms=_UNIX, required=("path", "target"), optional=("force",), listed=True),
        # the guide knows no `force` of files, a sample of AWS's writes it
        "DeleteFile": ActionModule(required=("path",), optional=("force",), listed=True),
        "DeleteFolder": ActionModule(required=("path",), optional=("force",), listed=True),
        "ListFiles": ActionModule(
            required=("path",), optional=("fileNamePattern", "recursive"), listed=True, outputs=("files",)
        ),
        "MoveFile": _COPY,
        "MoveFolder": _COPY,
        "ReadFile": ActionModule(
            required=("path",), optional=("encoding", "printFileContent"), listed=True, outputs=("content",)
        ),
        "SetFileEncoding": ActionModule(required=("path",), optional=("encoding",), listed=True),
        "SetFileOwner": ActionModule(platforms=_UNIX, required=("path", "owner"), optional=("group",), listed=True),
        "SetFolderOwner": ActionModule(
            platforms=_UNIX, required=("path", "owner"), optional=("group", "recursive"), listed=True
        ),
        "SetFilePermissions": ActionModule(platforms=_UNIX, required=("path", "permissions"), listed=True),
        "SetFolderPermissions": ActionModule(
            platforms=_UNIX, required=("path", "permissions"), optional=("recursive",), listed=True
        ),
        "InstallMSI": _MSI,
        "UninstallMSI": _MSI,
        "Reboot": ActionModule(optional=("delaySeconds",)),
        "SetRegistry": ActionModule(platforms=_WINDOWS, required=("path", "name", "value", "type"), listed=True),
        "UpdateOS": ActionModule(platforms=("Linux", "Windows"), optional=("include", "exclude")),
    }
)

OPERATORS = (
    "stringIsEmpty",
    "stringIsWhitespace",
    "stringEquals",
    "stringLessThan",
    "stringLessThanEquals",
    "stringGreaterThan",
    "stringGreaterThanEquals",
    "patternMatches",
    "numberEquals",
    "numberLessThan",
    "numberLessThanEquals",
    "numberGreaterThan",
    "numberGreaterThanEquals",
    "binaryExists",
    "fileExists",
    "folderExists",
    "fileMD5Equals",
    "fileSHA1Equals",
    "fileSHA256Equals",
    "fileSHA512Equals",
)
"""Comparison operators of conditions, as far as they are known; AWS may have more. Source: "Use comparison operators
in AWSTOE component documents"."""
