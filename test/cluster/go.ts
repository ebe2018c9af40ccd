import { execFile } from 'node:child_process';
import { promisify } from 'node:util';

const run = promisify(execFile);

/** Major, minor and patch: `go1.26.8` is [1, 26, 8]. */
type GoVersion = readonly [number, number, number];

/** Reads what `go env GOVERSION` prints (`go1.26.8`, `go1.27rc1`, `devel go1.27-abc`), or nothing if it is no version. */
export function parseGoVersion(text: string): GoVersion | undefined {
	const match = /\bgo(\d+)\.(\d+)(?:\.(\d+))?/.exec(text);
	if (!match) return undefined;
	return [Number(match[1]), Number(match[2]), Number(match[3] ?? 0)];
}

/** The version that the `go` line of a go.mod file demands. */
export function demandedGoVersion(goMod: string): GoVersion {
	const line = /^go\s+(\S+)/m.exec(goMod);
	const version = line && parseGoVersion(`go${line[1]}`);
	if (!version) throw new Error('go.mod has no go line');
	return version;
}

export function isAtLeast(found: GoVersion, demanded: GoVersion): boolean {
	for (let i = 0; i < 3; i++) {
		if (found[i] !== demanded[i]) return found[i]! > demanded[i]!;
	}
	return true;
}

/** What to tell somebody whose Go is missing (`found` undefined) or too old. */
function goProblem(found: string | undefined, demanded: GoVersion): string {
	return (
		`Go >= ${demanded[0]}.${demanded[1]} is needed to build the embedded control plane once; ` +
		`found ${found ?? 'no go command'}. Install it (https://go.dev/dl), or set KUBECONFIG to use a cluster of yours.`
	);
}

/**
 * Fails with a sentence for people unless the go command can build the module in `folder`. Asked inside that folder
 * so that a Go that fetches its own toolchain (GOTOOLCHAIN=auto) may do so.
 */
export async function requireGo(
	folder: string,
	demanded: GoVersion,
	env: NodeJS.ProcessEnv,
): Promise<string> {
	const found = await goVersion(folder, env);
	const version = found === undefined ? undefined : parseGoVersion(found);
	if (found !== undefined && version && isAtLeast(version, demanded)) return found;
	throw new Error(goProblem(found ?? (await goVersion(folder, { ...env, GOTOOLCHAIN: 'local' })), demanded));
}

async function goVersion(folder: string, env: NodeJS.ProcessEnv): Promise<string | undefined> {
	try {
		const { stdout } = await run('go', ['env', 'GOVERSION'], { cwd: folder, env });
		return stdout.trim();
	} catch (error) {
		// Missing; or too old to read go.mod: then it names its own version in the error, "(running go 1.22.2; ...)".
		const running = /running (go \S+?)[;)]/.exec((error as { stderr?: string }).stderr ?? '');
		return running?.[1]?.replace(' ', '');
	}
}
