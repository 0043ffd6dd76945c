"""The commands of `goldsmith`, a module each: `add` adds its command line, with help, to the parser."""
