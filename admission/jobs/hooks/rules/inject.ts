import { isDeepStrictEqual } from 'node:util';
import { jobHooks } from '../../../api/keys.ts';
import type { Container, Pod, VolumeMount } from '../../../api/kinds.ts';
import { withoutEndSlashes } from '../../../api/slashes.ts';
import { type PatchOperation, pointer } from '../../../webhook/review.ts';
import { hookAudience, hookFiles, hookFolder, hooks, hookVolume, type What } from './layout.ts';
import { hookScript } from './script.ts';

/** What a pod's hooks need of the server. */
export interface HookServer {
	/** Where the hooks reach it, without a slash at its end. */
	url: string;
	/** The CAs of its certificate, PEM; empty: one that everybody trusts. */
	authorities: string;
	/** The address of its Service, for pods that can't resolve names of the cluster; undefined: not known. */
	address: string | undefined;
}

/** The API server takes 256 KiB of annotations; what the guard writes on a pod must fit as well. */
const mostAnnotationBytes = 192 * 1024;

/** GitHub's own image has no hooks, whatever its tag. */
const gitHubImage = /^ghcr\.io\/actions\/actions-runner([:@]|$)/;

/**
 * What gives a runner pod its job hooks; of a pod that has them, nothing. Where it can't have them: an annotation that says
 * why. Pure.
 *
 * The operations stand alone: they need nothing that the pod lacks, and add to what it has.
 */
export function injectHooks(pod: Pod, server: HookServer): PatchOperation[] {
	const index = pod.spec?.containers?.findIndex(({ name }) => name === 'runner') ?? -1;
	const container = pod.spec?.containers?.[index];
	if (!container) return [];
	const variables = planVariables(pod, container);
	if ('why' in variables) return absentBecause(pod, variables.why);
	const why = whyNot(pod, container, server);
	if (why !== undefined) return absentBecause(pod, why);
	const annotations = pod.metadata.annotations ?? {};

	const script = hookScript({
		url: server.url,
		address: needsAddress(pod, server.url) ? server.address : undefined,
		before: variables.before,
	});
	const wanted = {
		[jobHooks.script]: script,
		[jobHooks.authorities]: server.authorities,
		[jobHooks.before]:
			Object.keys(variables.before).length > 0 ? JSON.stringify(variables.before) : undefined,
		[jobHooks.absent]: undefined,
	};
	if (isOver(mostAnnotationBytes, wanted, annotations))
		return absentBecause(pod, 'its annotations are too large to add job hooks');
	return [
		...annotate(annotations, pod, wanted),
		...appended('/spec/volumes', pod.spec?.volumes, [volume]),
		...appended(`/spec/containers/${index}/volumeMounts`, container.volumeMounts, mounts),
		...setVariables(container, index, variables.set),
	];
}

/** What writes on a pod why it has no hooks. */
export const absentBecause = (pod: Pod, why: string): PatchOperation[] =>
	annotate(pod.metadata.annotations ?? {}, pod, { [jobHooks.absent]: why });

/** Whether this pod has hooks. Names of volumes are unique. */
export function isHooked(pod: Pod): boolean {
	const found = volumeOf(pod);
	return found !== undefined && isOurs(found);
}

/** Whether it has them once these operations, of `injectHooks`, are applied. */
export const willBeHooked = (pod: Pod, operations: readonly PatchOperation[]): boolean =>
	operations.some((operation) => 'value' in operation && operation.value === volume) || isHooked(pod);

/** One volume for all: what the annotations say, and a token of this pod. */
const volume = {
	name: hookVolume,
	projected: {
		defaultMode: 0o444,
		sources: [
			{
				downwardAPI: {
					items: [
						{ path: hookFiles.script, mode: 0o755, fieldRef: annotationRef(jobHooks.script) },
						{ path: hookFiles.ca, mode: 0o444, fieldRef: annotationRef(jobHooks.authorities) },
					],
				},
			},
			{ serviceAccountToken: { audience: hookAudience, expirationSeconds: 3_600, path: hookFiles.token } },
		],
	},
};

const mounts: VolumeMount[] = [
	{ name: hookVolume, mountPath: hookFolder, readOnly: true },
	...hooks.map(({ path }) => ({
		name: hookVolume,
		mountPath: path,
		subPath: hookFiles.script,
		readOnly: true,
	})),
];

function annotationRef(key: string) {
	return { apiVersion: 'v1', fieldPath: `metadata.annotations['${key}']` };
}

/** Why this pod can't have hooks, for people; undefined: it can. */
function whyNot(pod: Pod, container: Container, server: HookServer): string | undefined {
	const { spec } = pod;
	if (pod.metadata.annotations?.[jobHooks.wanted] === 'off') return `${jobHooks.wanted} is off`;
	const systems = [spec?.os?.name, spec?.nodeSelector?.['kubernetes.io/os']];
	if (systems.includes('windows')) return 'it runs on Windows';
	const own = volumeOf(pod);
	if (own && !isOurs(own)) return `it has a volume ${hookVolume} of its own`;
	const paths = mounts.map(({ mountPath }) => mountPath);
	for (const mount of container.volumeMounts ?? []) {
		if (mount.name === hookVolume) continue;
		const path = withoutEndSlashes(mount.mountPath);
		if (paths.some((one) => isWithin(one, path) || isWithin(path, one)))
			return `its mount ${mount.mountPath} overlaps those of the job hooks`;
	}
	if (needsAddress(pod, server.url) && server.address === undefined)
		return `it can't resolve ${new URL(server.url).hostname}`;
	return undefined;
}

const isWithin = (path: string, folder: string) => path === folder || path.startsWith(`${folder}/`);

const volumeOf = ({ spec }: Pod) => spec?.volumes?.find(({ name }) => name === hookVolume);

/** Made by us: of a template that was copied from a pod, or at an earlier pass. */
const isOurs = (one: object) => isDeepStrictEqual(one, volume);

/** Whether the annotations together have more bytes than this. */
function isOver(
	most: number,
	wanted: Record<string, string | undefined>,
	others: Record<string, string>,
): boolean {
	let bytes = 0;
	for (const key of Object.keys(wanted)) bytes += key.length + Buffer.byteLength(wanted[key] ?? '');
	for (const key of Object.keys(others))
		if (!Object.hasOwn(wanted, key)) bytes += key.length + Buffer.byteLength(others[key] ?? '');
	return bytes > most;
}

/** A pod that asks its node's resolver, or one of its own, knows no name of the cluster. */
function needsAddress({ spec }: Pod, url: string): boolean {
	if (!/\.svc(\.|$)/.test(new URL(url).hostname)) return false;
	const { hostNetwork = false, dnsPolicy = 'ClusterFirst' } = spec ?? {};
	if (dnsPolicy === 'ClusterFirstWithHostNet') return false;
	return hostNetwork || dnsPolicy !== 'ClusterFirst';
}

type Variables =
	| { set: { name: string; value: string }[]; before: Partial<Record<What, string>> }
	| { why: string };

/**
 * Which of the runner's hook variables are set, and what the script then runs in place of the template's own hooks.
 *
 * Only where nothing is lost that can't be seen from outside: an image may have set them itself, or a ConfigMap may.
 */
function planVariables(pod: Pod, container: Container): Variables {
	const asked = pod.metadata.annotations?.[jobHooks.wanted] === 'variables';
	const known = gitHubImage.test(container.image ?? '') && !container.envFrom?.length;
	const set: { name: string; value: string }[] = [];
	const before: Partial<Record<What, string>> = {};
	for (const { what, path, variable } of hooks) {
		const given = container.env?.find(({ name }) => name === variable);
		if (given?.valueFrom || given?.value?.includes('$('))
			return { why: `its variable ${variable} has no plain value in its template` };
		const own = given?.value === path ? noted(pod)[what] : given?.value;
		if (own) before[what] = own;
		if (given || known || asked) set.push({ name: variable, value: path });
	}
	return { set, before };
}

/** Two paths of files, each character of which is escaped, are shorter. */
const longestNote = 64 * 1_024;

/** What an earlier pass has put us in the place of. */
function noted({ metadata }: Pod): Partial<Record<What, string>> {
	const text = metadata.annotations?.[jobHooks.before] ?? '{}';
	if (text.length > longestNote) return {};
	try {
		const read: unknown = JSON.parse(text);
		const texts = Object.entries(read ?? {}).filter(([, value]) => typeof value === 'string');
		return Object.fromEntries(texts);
	} catch {
		return {}; // not ours: written by hand
	}
}

function setVariables(container: Container, index: number, variables: { name: string; value: string }[]) {
	const path = `/spec/containers/${index}/env`;
	const changed = variables.flatMap((variable): PatchOperation[] => {
		const at = container.env?.findIndex(({ name }) => name === variable.name) ?? -1;
		if (at === -1 || container.env?.[at]?.value === variable.value) return [];
		return [{ op: 'replace', path: `${path}/${at}`, value: variable }];
	});
	return [...changed, ...appended(path, container.env, variables)];
}

/** Adds to a list what it does not have yet, compared by name and place. */
function appended(
	path: string,
	list: object[] | undefined,
	wanted: readonly { name: string; mountPath?: string }[],
): PatchOperation[] {
	const missing = wanted.filter(
		({ name, mountPath }) =>
			!(list as { name: string; mountPath?: string }[] | undefined)?.some(
				(one) => one.name === name && one.mountPath === mountPath,
			),
	);
	if (missing.length === 0) return [];
	const start: PatchOperation[] = list ? [] : [{ op: 'add', path, value: [] }];
	return [...start, ...missing.map((value): PatchOperation => ({ op: 'add', path: `${path}/-`, value }))];
}

function annotate(
	annotations: Record<string, string>,
	pod: Pod,
	wanted: Record<string, string | undefined>,
): PatchOperation[] {
	const operations = Object.entries(wanted).flatMap(([key, value]): PatchOperation[] => {
		const path = `/metadata/annotations/${pointer(key)}`;
		if (value === annotations[key]) return [];
		return [value === undefined ? { op: 'remove', path } : { op: 'add', path, value }];
	});
	if (pod.metadata.annotations) return operations;
	return [{ op: 'add', path: '/metadata/annotations', value: {} }, ...operations];
}
