#!/bin/sh
# A tour: push a tree, pull it to a second place, compare both, edit, again.
# DFS names the program; a directory given as $1 is copied and never altered.
# Everything happens in a temporary directory with a home of its own.
set -eu

dfs=$(cd "$(dirname "$DFS")" && pwd)/$(basename "$DFS")
source=
if [ "${1-}" ]; then source=$(cd "$1" && pwd); fi
tmp=$(mktemp -d)
trap 'rm -rf "$tmp"' EXIT
trap 'exit 130' INT TERM
cd "$tmp"
mkdir home
export HOME="$tmp/home"
unset XDG_CONFIG_HOME XDG_DATA_HOME XDG_STATE_HOME XDG_CACHE_HOME DFS DFS_HUB DFS_VOLUME

step() {
	printf '\n$ %s\n' "$*"
	"$@"
}
dfs() { "$dfs" "$@"; }

# list DIR prints kind, mode, time, target and path of all that is in it but the replica's state.
list() {
	if find . -maxdepth 0 -printf '' 2>/dev/null; then
		(cd "$1" && find . -mindepth 1 -path ./.dfs -prune -o -printf '%y %m %T@ %l %P\n' | sort)
	else
		(cd "$1" && find . -mindepth 1 -path ./.dfs -prune -o -print | sort)
	fi
}

same() {
	diff -r --exclude=.dfs docs copy
	list docs >docs.list
	list copy >copy.list
	diff docs.list copy.list
	echo "docs and copy are the same: $(wc -l <docs.list | tr -d ' ') entries"
}

if [ "$source" ]; then
	cp -a "$source" docs
	rm -rf docs/.dfs
else
	mkdir -p docs/notes docs/empty
	awk 'BEGIN { for (i = 1; i <= 200000; i++) print "line", i, i * 7919 % 65537 }' >docs/log.txt
	for i in 1 2 3 4 5 6 7 8 9; do echo "note $i" >docs/notes/$i.txt; done
	printf '#!/bin/sh\necho hello\n' >docs/run.sh
	chmod 755 docs/run.sh
	ln -s notes/1.txt docs/first
	touch -t 200102030405 docs/notes/1.txt
fi
edited=docs/log.txt
[ -f "$edited" ] || edited=docs/edited-by-demo.txt

echo "docs: $(du -sk docs | cut -f1) KiB in $(find docs -mindepth 1 | wc -l | tr -d ' ') entries"
step dfs push docs
step dfs pull copy --volume docs
step same
echo "one more line" >>"$edited"
printf '\n(edited %s)\n' "$edited"
step dfs push docs
step dfs pull copy
step same
step dfs push docs
