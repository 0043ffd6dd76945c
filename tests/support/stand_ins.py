"""Stand-ins for a system's commands: bash scripts that keep their effects in the scratch root.

So a step that enables a unit or installs a package can be followed by one that checks it. Units are files in
`/run/units/{enabled,active}/`; packages are files in `/var/lib/packages/` with their version. What a repository offers
is in `/var/lib/repository/`, in the same form; without that folder it offers everything, as version 1.0. A package
file's text is its name and version. Installing a package runs the script `/var/lib/after/NAME`, if it exists.
"""

OS_RELEASE = {
    "amazon-linux-2": 'NAME="Amazon Linux"\nID="amzn"\nID_LIKE="centos rhel fedora"\nVERSION_ID="2"\n'
    'PRETTY_NAME="Amazon Linux 2"\n',
    "amazon-linux-2023": 'NAME="Amazon Linux"\nID="amzn"\nID_LIKE="fedora"\nVERSION_ID="2023"\n'
    'PLATFORM_ID="platform:al2023"\nPRETTY_NAME="Amazon Linux 2023.6.20241212"\n',
    "centos-7": 'NAME="CentOS Linux"\nID="centos"\nID_LIKE="rhel fedora"\nVERSION_ID="7"\n'
    'PRETTY_NAME="CentOS Linux 7 (Core)"\n',
    "centos-8": 'NAME="CentOS Linux"\nID="centos"\nID_LIKE="rhel fedora"\nVERSION_ID="8"\n'
    'PLATFORM_ID="platform:el8"\nPRETTY_NAME="CentOS Linux 8"\n',
    "rhel-7": 'NAME="Red Hat Enterprise Linux Server"\nID="rhel"\nID_LIKE="fedora"\nVERSION_ID="7.9"\n'
    'PRETTY_NAME="Red Hat Enterprise Linux Server 7.9 (Maipo)"\n',
    "rhel-9": 'NAME="Red Hat Enterprise Linux"\nID="rhel"\nID_LIKE="fedora"\nVERSION_ID="9.5"\n'
    'PLATFORM_ID="platform:el9"\nPRETTY_NAME="Red Hat Enterprise Linux 9.5 (Plow)"\n',
    "ubuntu-16.04": 'NAME="Ubuntu"\nID=ubuntu\nID_LIKE=debian\nVERSION_ID="16.04"\nUBUNTU_CODENAME=xenial\n'
    'PRETTY_NAME="Ubuntu 16.04.7 LTS"\n',
    "ubuntu-24.04": 'NAME="Ubuntu"\nID=ubuntu\nID_LIKE=debian\nVERSION_ID="24.04"\nUBUNTU_CODENAME=noble\n'
    'PRETTY_NAME="Ubuntu 24.04.1 LTS"\n',
    "sles-12": 'NAME="SLES"\nID="sles"\nVERSION_ID="12.5"\nPRETTY_NAME="SUSE Linux Enterprise Server 12 SP5"\n',
    "sles-15": 'NAME="SLES"\nID="sles"\nID_LIKE="suse"\nVERSION_ID="15.6"\n'
    'PRETTY_NAME="SUSE Linux Enterprise Server 15 SP6"\n',
}
"""`/etc/os-release` of the systems that a scratch root can be."""

FAMILIES = {"dnf": "amazon-linux-2023", "yum": "rhel-7", "apt-get": "ubuntu-24.04", "zypper": "sles-15"}
"""A system of each package family, by its package manager."""

_SYSTEMCTL = r"""
units=/run/units
mkdir -p $units/enabled $units/active
verb= now= names=()
if [[ " $* " == *" --quiet "* ]]; then exec > /dev/null; fi
for word in "$@"; do
  case $word in
    --now) now=1 ;;
    --*) ;;
    *) if [[ -z $verb ]]; then verb=$word; else names+=("${word%.service}"); fi ;;
  esac
done
for name in ${names[@]+"${names[@]}"}; do
  case $verb in
    enable) touch $units/enabled/$name; if [[ $now ]]; then touch $units/active/$name; fi ;;
    disable) rm -f $units/enabled/$name; if [[ $now ]]; then rm -f $units/active/$name; fi ;;
    mask) rm -f $units/enabled/$name ;;
    start|restart|reload-or-restart) touch $units/active/$name ;;
    stop) rm -f $units/active/$name ;;
    is-enabled) if [[ -e $units/enabled/$name ]]; then echo enabled; else echo disabled; exit 1; fi ;;
    is-active) if [[ -e $units/active/$name ]]; then echo active; else echo inactive; exit 3; fi ;;
  esac
done
case $verb in
  is-system-running) echo running ;;
  get-default) echo multi-user.target ;;
esac
"""

COMMANDS = {"sleep": "exit 0", "systemctl": _SYSTEMCTL}
"""The stand-ins of every system. Sleeping takes no time."""

_MANAGER = r"""
packages=/var/lib/packages repository=/var/lib/repository
mkdir -p $packages
verb= names=() simulate=
while (( $# )); do
  case $1 in
    -o) shift ;;
    --simulate) simulate=1 ;;
    -*) ;;
    *) if [[ -z $verb ]]; then verb=$1; else names+=("$1"); fi ;;
  esac
  shift
done
case ${0##*/}-$verb in
  apt-get-update) exit 0 ;;
  *-check-update) ;;
  *-update|*-upgrade|*-dist-upgrade) verb=upgrade ;;
esac
pending() {
  for file in $packages/*; do
    if [[ -e $repository/${file##*/} ]] && ! cmp -s $file $repository/${file##*/}; then echo ${file##*/}; fi
  done
}
put() {
  if [[ ! -e $packages/$1 || $(<$packages/$1) != "$2" ]]; then
    echo "$2" > $packages/$1
    if [[ -e /var/lib/after/$1 ]]; then bash /var/lib/after/$1; fi
  fi
}
case $verb in
  install)
    for name in "${names[@]}"; do
      if [[ -f $name ]]; then put $(<"$name"); continue; fi
      name=${name%%=*} version=1.0
      if [[ -d $repository ]]; then
        [[ -e $repository/$name ]] || { echo "unable to find $name" >&2; exit NOT_FOUND; }
        version=$(<$repository/$name)
      fi
      put $name $version
    done ;;
  upgrade)
    for name in $(pending); do
      if [[ $simulate ]]; then echo "Inst $name"; else put $name $(<$repository/$name); fi
    done ;;
  check-update) pending; [[ -z $(pending) ]] || exit 100 ;;
  list-updates) for name in $(pending); do echo "v | updates | $name"; done ;;
esac
"""
_RPM = r"""
packages=/var/lib/packages name=${@: -1}
mkdir -p $packages
case " $* " in
  *" --query --package "*) read -r name version < "$name"; echo "$name-$version" ;;
  *" --query "*|*" -q "*)
    if [[ -e $packages/$name ]]; then echo "$name-$(<"$packages/$name")"; exit 0; fi
    echo "package $name is not installed"; exit 1 ;;
  *" --upgrade "*)
    read -r name version < "$name"
    echo "$version" > $packages/$name
    if [[ -e /var/lib/after/$name ]]; then bash /var/lib/after/$name; fi ;;
esac
"""
_DPKG_QUERY = r"""
name=${@: -1} format='${Package} ${Version}\n'
if [[ $2 == -f ]]; then format=$3; fi
if [[ ! -e /var/lib/packages/$name ]]; then echo "dpkg-query: no packages found matching $name" >&2; exit 1; fi
format=${format//'${Package}'/$name}
format=${format//'${Version}'/$(<"/var/lib/packages/$name")}
printf "${format//'${Status}'/install ok installed}"
"""
_DPKG_DEB = 'read -r _ version < "$2"; echo "$version"'


def package_manager(os: str) -> dict[str, str]:
    """The package commands of a system, by its key in `OS_RELEASE`: name to script."""
    if os.startswith("ubuntu"):
        return {"apt-get": _MANAGER.replace("NOT_FOUND", "100"), "dpkg-query": _DPKG_QUERY, "dpkg-deb": _DPKG_DEB}
    if os.startswith("sles"):
        return {"zypper": _MANAGER.replace("NOT_FOUND", "104"), "rpm": _RPM}
    install = _MANAGER.replace("NOT_FOUND", "1")
    if os in ("amazon-linux-2", "centos-7", "rhel-7"):
        return {"yum": install, "rpm": _RPM}
    return {"dnf": install, "yum": install, "rpm": _RPM}
