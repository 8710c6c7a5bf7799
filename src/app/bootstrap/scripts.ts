/**
 * The scripts that are run on a host: constants, whose arguments are `$1` and so on. Each can be run
 * again, leaves what it replaces whole until the new is whole, and reads nothing but what is meant for it.
 */

const BEGIN = `set -eu
PATH=/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin
export PATH LC_ALL=C
umask 022
`;

/** Installs the packages that are its arguments. */
export const INSTALL: string = `${BEGIN}export DEBIAN_FRONTEND=noninteractive
apt-get update -qq </dev/null
apt-get install -y -qq --no-install-recommends "$@" </dev/null
`;

/** Makes a directory: path, mode. */
export const DIRECTORY: string = `${BEGIN}install -d -m "$2" "$1"
`;

/** Puts what comes in at a path: path, mode, SHA-256. What was there is kept beside it. */
export const WRITE: string = `${BEGIN}umask 077
new=$1.seedmint-new
cat > "$new"
[ "$(sha256sum < "$new" | cut -d ' ' -f 1)" = "$3" ] || { echo 'it came incomplete' >&2; exit 1; }
chmod "$2" "$new"
[ ! -e "$1" ] || cp -p "$1" "$1.before"
mv -f "$new" "$1"
`;

/** Puts the runtime in its place: path, SHA-256, version. */
export const RUNTIME: string = `${BEGIN}new=$1.new
cat > "$new"
[ "$(sha256sum < "$new" | cut -d ' ' -f 1)" = "$2" ] || { echo 'it came incomplete' >&2; exit 1; }
chmod 755 "$new"
said=$("$new" --version </dev/null | head -n 1) || { echo 'it does not run there' >&2; exit 1; }
case $said in
  "deno $3"|"deno $3 "*) ;;
  *) echo "it is not Deno $3 but $said" >&2; exit 1 ;;
esac
mv -f "$new" "$1"
`;

/**
 * Unpacks a version and sees that it has all it needs: directory of versions, id, SHA-256 over its
 * files, runtime.
 */
export const VERSION: string = `${BEGIN}new=$1/$2.new
rm -rf "$new"
mkdir "$new"
tar -xzf - -C "$new" --no-same-owner
hash=$(cd "$new" && find . -type f -exec sha256sum {} + | sort | sha256sum | cut -d ' ' -f 1)
[ "$hash" = "$3" ] || { echo 'it came incomplete' >&2; exit 1; }
try=$1/$2.try
rm -rf "$try"
mkdir "$try"
ln -s "$new/npm" "$try/npm"
DENO_DIR=$try NO_COLOR=1 DENO_NO_UPDATE_CHECK=1 \\
  "$4" run -A --quiet --cached-only --frozen "$new/node.ts" config --data "$try/data" </dev/null >/dev/null
rm -rf "$try" "$1/$2"
mv "$new" "$1/$2"
`;

/** Lets a link lead to a path: link, path. */
export const LINK: string = `${BEGIN}ln -sfn "$2" "$1.new"
mv -Tf "$1.new" "$1"
`;

/** Starts a unit now and at each boot. */
export const ENABLE: string = `${BEGIN}systemctl enable --quiet --now "$1"
`;

/** Starts a unit at each boot. */
export const ENABLE_ONLY: string = `${BEGIN}systemctl daemon-reload
systemctl enable --quiet "$1"
`;

/** Starts a unit, or starts it anew. */
export const RESTART: string = `${BEGIN}systemctl restart "$1"
`;

/**
 * Asks the node that runs: its control socket, the command, and what to ask. A verb would answer without
 * a node, too, and be in its way while it starts.
 */
export const ASK: string = `${BEGIN}[ -S "$1" ] || { echo 'no node answers yet' >&2; exit 3; }
command=$2
shift 2
exec "$command" "$@" --json </dev/null
`;

/** The last lines of a unit's log. */
export const LOG: string =
  `${BEGIN}journalctl --no-pager --quiet --output cat --lines 12 --unit "$1"
`;
