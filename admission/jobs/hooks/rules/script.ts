import { hookFolder, hooks, hookVariables, type What } from './layout.ts';

/** What a script is made from. */
export interface ScriptInput {
	/** Where the server listens, without a slash at its end. */
	url: string;
	/** Address of the URL's host, for pods that can't resolve it. */
	address: string | undefined;
	/** The hooks that the pod's template names, which the runner would have run in our place. */
	before: Partial<Record<What, string>>;
	/** Other places than those in a pod: of the files, of curl, and of the mark of a failed report beside TMPDIR. For tests. */
	folder?: string;
	curl?: readonly string[];
	temporary?: readonly string[];
}

/** Seconds that a report may take, at first and while the latest has failed in this pod: a job must not wait for a server that is away. */
const limits = { first: 3, afterFailure: 1 } as const;
/** The file that says that the latest report of this pod has failed. */
const failureMark = '.runners-admission-failed';
/** Bytes of one value: a job chooses some of them, and escaping takes time. */
const longestValue = 200;

/**
 * The script of the job hooks, POSIX sh. Its own path says whether it reports `started` or `completed`.
 *
 * It runs as the job's user, in front of every job, so it must never fail one: its own exit code is always 0, and it takes 3
 * s at most, after a failure 1 s until a report succeeds. What it prints is the job's log, in which a line that begins with
 * `::` is a command: it prints nothing that somebody else has written. The token is in no argument, where other processes
 * could read it.
 */
export function hookScript(input: ScriptInput): string {
	const { url, address, before, folder = hookFolder } = input;
	const curl = input.curl ?? ['/usr/bin/curl', '/bin/curl', '/usr/local/bin/curl'];
	const temporary = (input.temporary ?? ['/tmp', '/dev/shm']).map(quoted).join(' ');
	const { hostname, port } = new URL(url);
	const resolve = address === undefined ? '' : `${hostname}:${port || 443}:${bracketed(address)}`;
	return `#!/bin/sh
# Tells runners-admission that a job of this runner has started or completed, so that the pod is not deleted meanwhile.
set +e
set +u
url=${quoted(url)}
address=${quoted(address ?? '')}
resolve=${quoted(resolve)}
folder=${quoted(folder)}
case $0 in
*job-started*) what=started called=\${${hooks[0].variable}-} ;;
*) what=completed called=\${${hooks[1].variable}-} ;;
esac

# $1 as the inside of a JSON string, in $text
escape() {
	rest=$1 text=
	[ \${#rest} -le ${longestValue} ] || rest=$(printf '%.${longestValue}s' "$rest")
	while :; do
		case $rest in
		*[\\"\\\\[:cntrl:]]*)
			part=\${rest%%[\\"\\\\[:cntrl:]]*}
			rest=\${rest#"$part"}
			case $rest in
			\\"*) text="$text$part\\\\\\"" ;;
			\\\\*) text="$text$part\\\\\\\\" ;;
			*) text="$text$part " ;;
			esac
			rest=\${rest#?}
			;;
		*)
			text=$text$rest
			return 0
			;;
		esac
	done
}

# The runner's own Node.js, in $node: it lies beside the process that runs this hook
find_node() {
	pid=$PPID root= node=
	for step in 1 2 3 4 5; do
		line= parent=
		[ -r "/proc/$pid/cmdline" ] && read -r line <"/proc/$pid/cmdline"
		case $line in
		*/bin*/Runner.*)
			line=\${line%%/Runner.*}
			root=\${line%/bin*}
			break
			;;
		esac
		[ -r "/proc/$pid/status" ] || break
		while read -r name value; do
			[ "$name" = PPid: ] && parent=$value && break
		done <"/proc/$pid/status"
		pid=\${parent:-0}
	done
	for root in "$root" /home/runner /runner; do
		[ -n "$root" ] || continue
		for one in "$root"/externals/node*/bin/node; do
			case $one in
			*_alpine/*) ;;
			*) [ -x "$one" ] && node=$one ;;
			esac
		done
		[ -z "$node" ] || return 0
	done
	return 1
}

report() {
	LC_ALL=C
	umask 077
	unset http_proxy https_proxy HTTPS_PROXY all_proxy ALL_PROXY NODE_OPTIONS NODE_EXTRA_CA_CERTS NODE_TLS_REJECT_UNAUTHORIZED
	token=
	[ -r "$folder/token" ] && read -r token <"$folder/token"
	case $token in
	'' | *[!A-Za-z0-9._-]*) return 90 ;;
	esac
	body=
	for name in ${hookVariables.join(' ')}; do
		eval "value=\\\${$name-}"
		escape "$value"
		body="$body\${body:+,}\\"$name\\":\\"$text\\""
	done
	body="{$body}"
	for curl in ${curl.map(quoted).join(' ')}; do
		[ -x "$curl" ] || continue
		set -- -q --noproxy '*' --config - --silent --fail --max-time "$limit" --output /dev/null \\
			--header 'Content-Type: application/json' --data-binary "$body"
		[ -s "$folder/ca.crt" ] && set -- "$@" --cacert "$folder/ca.crt"
		[ -n "$resolve" ] && set -- "$@" --resolve "$resolve"
		echo "header = \\"Authorization: Bearer $token\\"" | "$curl" "$@" "$url/hooks/$what"
		return
	done
	find_node || return 91
	"$node" -e ${quoted(nodeProgram)} -- "$url/hooks/$what" "$limit" "$folder" "$address" "$body"
}

limit=${limits.first} failed=
for place in \${TMPDIR:+"$TMPDIR"} ${temporary}; do
	[ -e "$place/${failureMark}" ] && limit=${limits.afterFailure} failed=1
done
(report) >/dev/null 2>&1
code=$?
if [ "$code" -ne 0 ]; then
	echo "this job could not report to runners-admission that it has $what (code $code)"
	for place in \${TMPDIR:+"$TMPDIR"} ${temporary}; do
		(: >>"$place/${failureMark}") 2>/dev/null && break
	done
elif [ -n "$failed" ]; then
	for place in \${TMPDIR:+"$TMPDIR"} ${temporary}; do
		(command rm -f "$place/${failureMark}") >/dev/null 2>&1
	done
fi

case $what in
started)
	${afterwards(before.started)}
	;;
completed)
	${afterwards(before.completed)}
	;;
esac
`;
}

/**
 * Runs the hook that the template names, as the runner would, whose place this one has taken; its exit code is the job's.
 * Where the image sets the variables itself, as ARC's does, the runner would not have run it either.
 */
function afterwards(before: string | undefined): string {
	if (!before) return 'exit 0';
	const mine = `[ "$called" = "$0" ] || exit 0`;
	if (before.endsWith('.sh'))
		return `${mine}
	command -v bash >/dev/null 2>&1 && exec bash -e ${quoted(before)}
	exec sh -e ${quoted(before)}`;
	if (before.endsWith('.js'))
		return `${mine}
	find_node
	exec "\${node:-node}" ${quoted(before)}`;
	if (before.endsWith('.ps1'))
		return `${mine}
	exec pwsh -command ${quoted(`. '${before.replaceAll("'", "''")}'`)}`;
	return `${mine}
	echo 'the job hook of the pod template must end in .sh, .js or .ps1'
	exit 1`;
}

/** Does what curl does, on any Node.js of a runner (12 and later). Without single quotes. */
const nodeProgram = `const [url, limit, folder, address, body] = process.argv.slice(1);
const read = (name) => require("fs").readFileSync(folder + "/" + name, "utf8");
const { setTimeout: after } = global;
after(() => process.exit(28), limit * 1000);
const ca = read("ca.crt");
const headers = { authorization: "Bearer " + read("token").trim(), "content-type": "application/json", "content-length": Buffer.byteLength(body) };
const options = { method: "POST", agent: false, headers };
if (ca) options.ca = ca;
const family = address.includes(":") ? 6 : 4;
if (address) options.lookup = (host, how, done) => how.all ? done(null, [{ address, family }]) : done(null, address, family);
const request = require("https").request(url, options, (answer) => process.exit(answer.statusCode < 300 ? 0 : 22));
request.on("error", () => process.exit(7));
request.end(body);`;

/** As one argument in a shell. */
const quoted = (text: string): string => `'${text.replaceAll("'", `'\\''`)}'`;

const bracketed = (address: string): string => (address.includes(':') ? `[${address}]` : address);
