# Has apt read Debian's archive with a configuration of its own, so that the
# machine's packages, lists and sources stay as they are. For scripts to source.

# find_archive sets mirror to the URL of the Debian archive that the machine uses,
# and machine to how it reaches it: proxies, certificates and the like.
find_archive() {
	mirror=${BTFGEN_CORPUS_MIRROR:-}
	if [ -z "$mirror" ]; then
		# shellcheck disable=SC2016 # apt expands it
		mirror=$(apt-get indextargets --format '$(REPO_URI)' 'Created-By: Packages' 'Origin: Debian' 'Label: Debian' | sed -n 1p)
	fi
	[ -n "$mirror" ] || fail "apt on this machine knows no Debian archive: run apt-get update, or set BTFGEN_CORPUS_MIRROR to a mirror's URL"
	mirror=${mirror%/}
	machine=$(apt-config dump Acquire | grep -v '^Acquire::IndexTargets') # which would add lists that nothing here reads
}

# configure DIR SUITE ARCH [deb-src]: makes an apt configuration in DIR for that
# suite and architecture, without any package installed, and has all apt commands
# use it. $keyring has the keys of those whose signatures count; find_archive sets
# the rest.
configure() {
	local dir=$1
	mkdir -p "$dir/lists/partial" "$dir/archives/partial" "$dir/parts" "$dir/preferences.d"
	: >"$dir/status"
	echo "${4:-deb} [signed-by=$keyring] $mirror $2 main" >"$dir/sources.list"
	{
		echo "$machine"
		cat <<-EOF
			Dir "$dir";
			Dir::State "$dir";
			Dir::State::lists "$dir/lists";
			Dir::State::status "$dir/status";
			Dir::Cache "$dir";
			Dir::Cache::archives "$dir/archives";
			Dir::Etc "$dir";
			Dir::Etc::sourcelist "$dir/sources.list";
			Dir::Etc::sourceparts "$dir/parts";
			Dir::Etc::preferences "/dev/null";
			Dir::Etc::preferencesparts "$dir/preferences.d";
			Dir::Etc::main "/dev/null";
			Dir::Etc::parts "$dir/parts";
			Dir::Log "$dir";
			Dir::Bin::methods "/usr/lib/apt/methods";
			APT::Architecture "$3";
			APT::Architectures { "$3"; };
			APT::Sandbox::User "$(id -un)";
			Acquire::Languages "none";
			Acquire::GzipIndexes "true";
			Acquire::Retries "3";
		EOF
	} >"$dir/apt.conf"
	export APT_CONFIG=$dir/apt.conf
}
