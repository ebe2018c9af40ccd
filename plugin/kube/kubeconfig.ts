import { readFileSync } from 'node:fs';
import { homedir } from 'node:os';
import { delimiter, dirname, join, resolve } from 'node:path';
import { CliError, usageError } from '../errors.ts';
import { readYaml } from './yaml.ts';

/** The parts of a kubeconfig that are read, spelled as in the file. */
export interface Cluster {
	server?: string;
	'certificate-authority'?: string;
	'certificate-authority-data'?: string;
	'insecure-skip-tls-verify'?: boolean;
	'tls-server-name'?: string;
	'proxy-url'?: string;
}

export interface User {
	token?: string;
	tokenFile?: string;
	'client-certificate'?: string;
	'client-certificate-data'?: string;
	'client-key'?: string;
	'client-key-data'?: string;
	username?: string;
	password?: string;
	exec?: { command?: string; apiVersion?: string; provideClusterInfo?: boolean; [key: string]: unknown };
	'auth-provider'?: { name?: string; config?: Record<string, unknown> };
	as?: string;
	'as-groups'?: string[];
}

interface Context {
	cluster?: string;
	user?: string;
	namespace?: string;
}

export interface Kubeconfig {
	clusters: Map<string, Cluster>;
	users: Map<string, User>;
	contexts: Map<string, Context>;
	currentContext: string;
	/** The files that exist, in order. */
	files: string[];
}

/** Where the configuration comes from; the defaults are this process's. */
interface Surroundings {
	env: NodeJS.ProcessEnv;
	home: string;
	/** The file's text; throws as node:fs does. */
	readFile: (path: string) => string;
}

const here: Surroundings = {
	env: process.env,
	home: homedir(),
	readFile: (path) => readFileSync(path, 'utf8'),
};

/**
 * Reads the kubeconfig as kubectl does: the file of `--kubeconfig` alone, else every file of the list in KUBECONFIG
 * (missing ones are skipped), else ~/.kube/config. Of files that set the same name, the first wins; of those that
 * set `current-context`, too.
 */
export function loadKubeconfig(explicitPath?: string, where: Surroundings = here): Kubeconfig {
	const merged: Kubeconfig = {
		clusters: new Map(),
		users: new Map(),
		contexts: new Map(),
		currentContext: '',
		files: [],
	};
	for (const path of kubeconfigPaths(explicitPath, where)) {
		const text = readIfThere(path, explicitPath !== undefined, where);
		if (text !== undefined) addFile(merged, path, text);
	}
	return merged;
}

function kubeconfigPaths(explicitPath: string | undefined, where: Surroundings): string[] {
	if (explicitPath) return [explicitPath];
	const listed = (where.env.KUBECONFIG ?? '').split(delimiter).filter((path) => path !== '');
	return listed.length > 0 ? [...new Set(listed)] : [join(where.home, '.kube', 'config')];
}

function readIfThere(path: string, mustExist: boolean, where: Surroundings): string | undefined {
	try {
		return where.readFile(path);
	} catch (error) {
		const { code, message } = error as NodeJS.ErrnoException;
		if (code !== 'ENOENT') throw usageError(`error loading config file "${path}": ${message}`);
		if (mustExist) throw usageError(`stat ${path}: no such file or directory`);
		return undefined;
	}
}

function addFile(merged: Kubeconfig, path: string, text: string): void {
	const file = parseFile(path, text);
	const folder = dirname(resolve(path));
	merged.files.push(path);
	merged.currentContext ||= file['current-context'] ?? '';

	addNamed(merged.clusters, file.clusters, 'cluster', (cluster: Cluster) =>
		absolutePaths(cluster, ['certificate-authority'], folder),
	);
	addNamed(merged.users, file.users, 'user', (user: User) =>
		absolutePaths(
			withAbsoluteCommand(user, folder),
			['client-certificate', 'client-key', 'tokenFile'],
			folder,
		),
	);
	addNamed(merged.contexts, file.contexts, 'context', (context: Context) => context);
}

type NamedList = ({ name?: string } & Record<string, unknown>)[] | null;

interface KubeconfigFile {
	'current-context'?: string;
	clusters?: NamedList;
	users?: NamedList;
	contexts?: NamedList;
}

function parseFile(path: string, text: string): KubeconfigFile {
	let parsed: unknown; // an empty file (KUBECONFIG=/dev/null) leaves it undefined
	try {
		parsed = readYaml(text);
	} catch (error) {
		if (error instanceof CliError) throw error;
		const firstLine = String((error as Error).message).split('\n')[0];
		throw new CliError(`error: error loading config file "${path}": yaml: ${firstLine}`);
	}
	if (parsed === null || parsed === undefined) return {};
	if (typeof parsed !== 'object' || Array.isArray(parsed)) {
		throw new CliError(`error: error loading config file "${path}": it is not a mapping`);
	}
	return parsed as KubeconfigFile;
}

function addNamed<T extends object>(
	into: Map<string, T>,
	list: NamedList | undefined,
	key: string,
	prepare: (value: T) => T,
): void {
	if (!Array.isArray(list)) return;
	for (const entry of list) {
		if (typeof entry?.name !== 'string' || into.has(entry.name)) continue;
		into.set(entry.name, prepare((entry[key] ?? {}) as T));
	}
}

/** A credential program without a slash is looked up in PATH; any other path is relative to the file. */
function withAbsoluteCommand(user: User, folder: string): User {
	const command = user.exec?.command;
	if (!command?.includes('/')) return user;
	return { ...user, exec: { ...user.exec, command: resolve(folder, command) } };
}

/** File names in a kubeconfig are relative to the file's own folder. */
function absolutePaths<T extends object>(value: T, keys: (keyof T)[], folder: string): T {
	const copy = { ...value };
	for (const key of keys) {
		const path = copy[key];
		if (typeof path === 'string' && path !== '') copy[key] = resolve(folder, path) as T[keyof T];
	}
	return copy;
}
