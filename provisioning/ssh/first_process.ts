/**
 * The first process of a lease whose file system cannot be reached from here, as on a cluster: a script for
 * the shell that comes with our SSH server. It makes the user able to log in, starts the server and the
 * image's own command, and starts both again when all of the lease's processes were ended. Pure.
 */
import { hashPassword } from "./password_hash.ts";
import { authorizedKeysText } from "./authorized_keys.ts";
import { serverArguments } from "./server_bundle.ts";
import type { Random } from "../../src/core/ports.ts";
import type { InstanceSpec } from "../ports.ts";

/** What the script is made of. */
export interface FirstProcess {
  /** Where the SSH server's directory is inside. */
  readonly serverAt: string;
  /** Where the host's key is inside. */
  readonly hostKeyAt: string;
  readonly port: number;
  readonly ssh: Pick<InstanceSpec["ssh"], "user" | "authorizedKeys" | "password">;
  /** The image's own command; undefined if there is none. */
  readonly command: readonly string[] | undefined;
  /** Whom it runs as: `user`, `user:group`, numbers or names; empty for root. */
  readonly commandUser: string;
  readonly random: Random;
}

/**
 * The script.
 *
 * @throws {SyntaxError} If a key, the user's name or the image's user cannot be used.
 */
export function firstProcess(options: FirstProcess): string {
  const { ssh, serverAt } = options;
  if (!/^[a-z_][a-z0-9_-]{0,31}$/.test(ssh.user)) {
    throw new SyntaxError(
      `Cannot use "${
        ssh.user.slice(0, 40)
      }" as SSH user: small letters, digits, - and _ are possible, 32 at most`,
    );
  }
  const hash = ssh.password === undefined ? "*" : hashPassword(ssh.password, options.random);
  const server = serverArguments(serverAt, {
    port: options.port,
    hostKeyPath: options.hostKeyAt,
    isPasswordTaken: ssh.password !== undefined,
  });
  return `${
    LOGIN.replaceAll("@BUSYBOX@", quoted(`${serverAt}/busybox`))
      .replace("@USER@", quoted(ssh.user))
      .replace("@HASH@", () => quoted(hash))
      .replace("@KEYS@", () => quoted(authorizedKeysText(ssh.authorizedKeys)))
  }
serve() {
  # What a loader and an allocator heed is for the lease's own programs.
  unset GLIBC_TUNABLES $(b env | b sed -n -e 's/^\\(LD_[A-Z_]*\\)=.*/\\1/p' \\
    -e 's/^\\(MALLOC_[A-Z_]*_\\)=.*/\\1/p' | b grep -vx LD_LIBRARY_PATH)
  while :; do
    ${words(server)}
    b sleep 1
  done
}
work() {
${options.command === undefined ? "  :" : workOf(options.command, options)}
}
# Nothing is trapped: as first process it is deaf to all that the lease itself may send.
while :; do
  serve </dev/null >/dev/null 2>&1 &
  work </dev/null &
  wait
done
`;
}

/** What ends all processes of a lease but the first, which then starts anew what it started before. */
export const END_ALL = "kill -9 -1";
/** What halts all processes of a lease but the first. */
export const HALT_ALL = "kill -STOP -1";
/** What lets them go on. */
export const CONTINUE_ALL = "kill -CONT -1";

/** The command, not before the server answers, which it could keep from doing so; nor for ever after. */
function workOf(command: readonly string[], { port, commandUser }: FirstProcess): string {
  return `  tries=0
  until [ "$(b nc -w 2 127.0.0.1 ${port} </dev/null 2>/dev/null | b head -c 4)" = SSH- ] ||
    [ "$tries" -ge 600 ]; do
    b sleep 0.1
    tries=$((tries + 1))
  done
  ${commandLine(command, commandUser)}`;
}

function commandLine(command: readonly string[], user: string): string {
  if (user === "" || /^(root|0)(:(root|0))?$/.test(user)) return words(command);
  if (!/^[A-Za-z0-9_][A-Za-z0-9_.-]{0,31}(:[A-Za-z0-9_][A-Za-z0-9_.-]{0,31})?$/.test(user)) {
    throw new SyntaxError(`Cannot run the image: its user ${user.slice(0, 60)} cannot be used`);
  }
  // Of its kind the only applet that takes names and numbers; the file tells it that none runs yet.
  const [program = "", ...args] = command;
  const switched = ["start-stop-daemon", "-S", "-p", "/nonexistent", "-c", user, "-x", program];
  return `${knownUser(user)}b ${words([...switched, "--", ...args])}`;
}

/** A number that the image has no name for, which that applet wants. */
function knownUser(user: string): string {
  const [uid = "", gid = ""] = user.split(":");
  const isNumber = (text: string) => /^\d{1,9}$/.test(text);
  const entry = `id${uid}:x:${uid}:${isNumber(gid) ? gid : "0"}::/:/bin/sh`;
  return isNumber(uid)
    ? `b grep -q "^[^:]*:[^:]*:${uid}:" /etc/passwd || echo '${entry}' >>/etc/passwd\n  `
    : "";
}

function words(list: readonly string[]): string {
  return list.map(quoted).join(" ");
}

function quoted(text: string): string {
  return `'${text.replaceAll("\0", "").replaceAll("'", "'\\''")}'`;
}

const LOGIN = `umask 022
b() { @BUSYBOX@ "$@"; }
user=@USER@
b mkdir -p /etc /tmp /bin
[ -e /bin/sh ] || b ln -s @BUSYBOX@ /bin/sh
[ -e /etc/passwd ] || echo 'root:x:0:0:root:/root:/bin/sh' >/etc/passwd
line=$(b grep "^$user:" /etc/passwd | b head -n 1)
field() { echo "$line" | b cut -d : -f "$1"; }
uid=$(field 3) gid=$(field 4) home=$(field 6) shell=$(field 7)
case $uid:$gid in
  *[!0-9:]* | :* | *:)
    if [ "$user" = root ]; then
      uid=0 gid=0 home=/root
    else
      uid=1000
      while b grep -q "^[^:]*:[^:]*:$uid:" /etc/passwd; do uid=$((uid + 1)); done
      gid=$uid home=/home/$user
    fi
    ;;
esac
case $home in /?*) ;; *) home=/home/$user ;; esac
[ -n "$shell" ] && [ -x "$shell" ] || shell=/bin/sh
# Rewrites a file with our line in front and that of the same name gone.
put() {
  b grep -v "^$user:" "$1" >/tmp/.seedmint-old 2>/dev/null
  { echo "$2"; b cat /tmp/.seedmint-old; } >/tmp/.seedmint-new
  b cat /tmp/.seedmint-new >"$1"
  b rm -f /tmp/.seedmint-old /tmp/.seedmint-new
}
# The loader of the server would heed it, too.
b rm -f /etc/ld.so.preload
put /etc/passwd "$user:x:$uid:$gid:$user:$home:$shell"
b grep -q "^[^:]*:[^:]*:$gid:" /etc/group 2>/dev/null || echo "$user:x:$gid:" >>/etc/group
put /etc/shadow "$user:"@HASH@":19000:0:99999:7:::"
b chmod 600 /etc/shadow
[ -e /etc/shells ] || echo /bin/sh >/etc/shells
b grep -qx "$shell" /etc/shells || echo "$shell" >>/etc/shells
b mkdir -p "$home/.ssh"
echo @KEYS@ >"$home/.ssh/authorized_keys"
# The server refuses keys that lie where others could write.
b chmod go-w "$home"
b chmod 700 "$home/.ssh"
b chmod 600 "$home/.ssh/authorized_keys"
b chown "$uid:$gid" "$home" "$home/.ssh" "$home/.ssh/authorized_keys"
`;
