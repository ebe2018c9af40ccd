import { type ChildProcess, spawn } from 'node:child_process';
import { createHash } from 'node:crypto';
import { existsSync } from 'node:fs';
import { mkdir, readdir, readFile, rename, rm, stat, symlink, utimes } from 'node:fs/promises';
import { homedir } from 'node:os';
import { join } from 'node:path';
import { createInterface } from 'node:readline';
import { withFileLock } from './file-lock.ts';
import { demandedGoVersion, requireGo } from './go.ts';
import { formatElapsed, type Log } from './log.ts';

const moduleFolder = join(import.meta.dirname, 'controlplane');
const sources = ['go.mod', 'go.sum', 'main.go', 'podreaper.go'];

/** Clients that parse the server's version need one; a plain `go build` leaves v0.0.0-master. */
const versionFlags =
	'-X k8s.io/component-base/version.gitVersion=v1.36.3 ' +
	'-X k8s.io/component-base/version.gitMajor=1 -X k8s.io/component-base/version.gitMinor=36';

const outputs = [
	{ name: 'controlplane', package: '.', ldflags: `-s -w ${versionFlags}`, title: 'control plane' },
	{ name: 'kwok', package: 'sigs.k8s.io/kwok/cmd/kwok', ldflags: '-s -w', title: 'kwok' },
] as const;

/** How many packages `go list -deps` names, the standard library included: for people who watch the first build. */
const packagesCold = 2700;

/** The control plane is chosen by the name it is called by. */
const commands = [
	'etcd',
	'kube-apiserver',
	'kube-controller-manager',
	'kube-scheduler',
	'kubectl',
	'pod-reaper',
] as const;

/** Builds nobody has used for this long are removed when a new one is made: one is about 200 MB. */
const unusedAfterMs = 14 * 24 * 60 * 60 * 1000;

interface Binaries {
	controlplane: string;
	kwok: string;
}

/**
 * Paths of the compiled control plane and kwok, built first if this version of them has not been: about 6 minutes on
 * 2 cores with nothing cached, once per user. Two runs at once build once.
 */
export async function ensureBuilt(log: Log = () => {}): Promise<Binaries> {
	const folder = join(cacheFolder(), await sourceHash());
	const binaries = { controlplane: join(folder, 'controlplane'), kwok: join(folder, 'kwok') };
	if (!isBuilt(binaries)) {
		await withFileLock(join(cacheFolder(), 'build.lock'), () => build(folder, binaries, log), {
			onWait: (pid) => log(`control plane: another run (process ${pid ?? '?'}) is building it, waiting`),
		});
	}
	const now = new Date();
	await utimes(folder, now, now);
	return binaries;
}

function cacheFolder(): string {
	return (
		process.env.RUNNERS_CACHE_DIR ||
		join(process.env.XDG_CACHE_HOME || join(homedir(), '.cache'), 'kubectl-runners')
	);
}

/** One folder per content, so that branches with different sources do not rebuild each other's. */
async function sourceHash(): Promise<string> {
	const hash = createHash('sha256');
	for (const name of sources) hash.update(name).update(await readFile(join(moduleFolder, name)));
	hash.update(JSON.stringify(outputs)).update(`${process.platform}-${process.arch}`);
	return hash.digest('hex').slice(0, 16);
}

/** kwok is put in place last. */
function isBuilt(binaries: Binaries): boolean {
	return existsSync(binaries.controlplane) && existsSync(binaries.kwok);
}

async function build(folder: string, binaries: Binaries, log: Log): Promise<void> {
	if (isBuilt(binaries)) return; // by the one we waited for
	const env = goEnvironment();
	const demanded = demandedGoVersion(await readFile(join(moduleFolder, 'go.mod'), 'utf8'));
	const version = await requireGo(moduleFolder, demanded, env);

	await rm(folder, { recursive: true, force: true }); // what an interrupted build left
	await mkdir(folder, { recursive: true });
	log(`control plane: building it with ${version} (minutes the first time, cached afterwards in ${folder})`);
	const startedMs = Date.now();
	for (const command of commands) await symlink('controlplane', join(folder, command));
	for (const output of outputs) {
		const temporary = join(folder, `.${output.name}.${process.pid}`);
		await goBuild(output.title, ['-ldflags', output.ldflags, '-o', temporary, output.package], env, log);
		await rename(temporary, join(folder, output.name));
	}
	log(`control plane: built in ${formatElapsed(Date.now() - startedMs)}`);
	await removeUnused(folder);
}

/** The user's own Go settings must neither break the build nor change its result. */
function goEnvironment(): NodeJS.ProcessEnv {
	const env: NodeJS.ProcessEnv = { ...process.env };
	for (const name of ['GOOS', 'GOARCH', 'GOEXPERIMENT', 'GODEBUG']) delete env[name];
	return {
		...env,
		CGO_ENABLED: '0',
		GO111MODULE: 'on',
		GOWORK: 'off',
		GOFLAGS: '-mod=readonly -buildvcs=false',
	};
}

async function goBuild(title: string, args: string[], env: NodeJS.ProcessEnv, log: Log): Promise<void> {
	const startedMs = Date.now();
	const child = spawn('go', ['build', '-v', '-trimpath', ...args], {
		cwd: moduleFolder,
		env,
		stdio: ['ignore', 'ignore', 'pipe'],
	});
	const stopWithUs = () => child.kill('SIGTERM');
	process.once('exit', stopWithUs);

	let compiled = 0;
	let downloaded = 0;
	const tail: string[] = [];
	createInterface({ input: child.stderr }).on('line', (line) => {
		if (line.startsWith('go: downloading ')) downloaded++;
		else if (/^[\w.]+(\/[^\s:]+)*$/.test(line)) compiled++; // -v prints each package when it is compiled
		tail.push(line);
		if (tail.length > 20) tail.shift();
	});

	const report = () => {
		const parts = [];
		if (downloaded > 0) parts.push(`downloaded ${downloaded} modules`);
		parts.push(`compiled ${compiled} packages (some ${packagesCold} with nothing cached)`);
		log(`${title}: ${parts.join(', ')}, ${formatElapsed(Date.now() - startedMs)}`);
	};
	const timers = [setTimeout(report, 3_000), setInterval(report, 10_000)];
	try {
		await finished(child, title, tail);
	} finally {
		for (const timer of timers) clearTimeout(timer);
		process.off('exit', stopWithUs);
	}
}

function finished(child: ChildProcess, title: string, tail: string[]): Promise<void> {
	return new Promise((resolve, reject) => {
		child.on('error', reject);
		child.on('close', (code, signal) => {
			if (code === 0) resolve();
			else
				reject(
					new Error(`${title}: go build failed (${signal ?? `exit code ${code}`}):\n${tail.join('\n')}`),
				);
		});
	});
}

async function removeUnused(current: string): Promise<void> {
	for (const name of await readdir(cacheFolder())) {
		const folder = join(cacheFolder(), name);
		if (folder === current || !/^[0-9a-f]{16}$/.test(name)) continue;
		if (Date.now() - (await stat(folder)).mtimeMs > unusedAfterMs) await rm(folder, { recursive: true });
	}
}
