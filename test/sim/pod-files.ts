/**
 * The files that a kubelet creates for a runner's container from its projected volumes, in a folder that represents the
 * container's root. Absolute paths in them point to that folder, because nothing here runs in a container.
 */
import { chmod, copyFile, mkdir, rm, symlink, writeFile } from 'node:fs/promises';
import { dirname, join } from 'node:path';
import type { Kube } from './kube.ts';
import { type PodItem, type ProjectedSource, runnerContainer, type VolumeMount } from './runner-pod.ts';

/** The kubelet renews a token when this share of its lifetime has passed. */
const renewedAfter = 0.8;
const defaultTokenS = 3_600;
/** Every pod has this one, for the API server: no runner's script reads it. */
const ownAccess = /^kube-api-access-/;

export class PodFiles {
	/** Represents `/` of the container. */
	readonly root: string;
	readonly #kube: Kube;
	readonly #folder: string;
	readonly #imageFiles: Readonly<Record<string, string>>;
	readonly #tokens = new Map<string, { token: string; renewAtMs: number }>();

	constructor(kube: Kube, folder: string, imageFiles: Readonly<Record<string, string>>) {
		this.#kube = kube;
		this.#folder = folder;
		this.root = join(folder, 'root');
		this.#imageFiles = imageFiles;
	}

	/** A path in the container -> where it is here. */
	place(path: string): string {
		return join(this.root, path);
	}

	/** The container starts: what is mounted by subPath is copied, and never changes after that. */
	async make(pod: PodItem): Promise<void> {
		await mkdir(this.place('/tmp'), { recursive: true });
		for (const [path, text] of Object.entries(this.#imageFiles))
			await this.#write(this.place(path), text, pod);
		await this.refresh(pod);
		for (const { name, mountPath, subPath } of mounts(pod)) {
			const target = this.place(mountPath);
			await mkdir(dirname(target), { recursive: true });
			if (subPath === undefined) await symlink(this.#volume(name), target);
			else await copyFile(join(this.#volume(name), subPath), target);
		}
	}

	/** What is mounted whole follows the pod's annotations, and its tokens are renewed. */
	async refresh(pod: PodItem): Promise<void> {
		for (const { name, projected } of pod.spec.volumes ?? []) {
			if (projected === undefined || ownAccess.test(name)) continue;
			for (const source of projected.sources ?? []) {
				for (const { path, mode, text } of await this.#filesOf(source, pod)) {
					const file = join(this.#volume(name), path);
					await this.#write(file, text, pod, mode ?? projected.defaultMode ?? 0o644);
				}
			}
		}
	}

	/** Paths in the container are replaced by the paths here. */
	rewritten(text: string, pod: PodItem): string {
		const whole = mounts(pod).filter(({ subPath }) => subPath === undefined);
		const paths = [...whole.map(({ mountPath }) => mountPath), ...Object.keys(this.#imageFiles)];
		return paths
			.toSorted((one, other) => other.length - one.length)
			.reduce((made, path) => made.replaceAll(path, this.place(path)), text);
	}

	async remove(): Promise<void> {
		await rm(this.#folder, { recursive: true, force: true });
	}

	#volume(name: string): string {
		return join(this.#folder, 'volumes', name);
	}

	async #write(path: string, text: string, pod: PodItem, mode = 0o755): Promise<void> {
		await mkdir(dirname(path), { recursive: true });
		await rm(path, { force: true }); // a file without the right to write may be there
		await writeFile(path, this.rewritten(text, pod));
		await chmod(path, mode);
	}

	async #filesOf(
		source: ProjectedSource,
		pod: PodItem,
	): Promise<{ path: string; mode?: number; text: string }[]> {
		const items = source.downwardAPI?.items ?? [];
		const files = items.map(({ path, mode, fieldRef }) => ({
			path,
			...(mode === undefined ? {} : { mode }),
			text: fieldOf(pod, fieldRef?.fieldPath ?? ''),
		}));
		const wanted = source.serviceAccountToken;
		if (wanted === undefined) return files;
		return [...files, { path: wanted.path, text: await this.#token(wanted, pod) }];
	}

	/** Bound to the pod, as the kubelet asks for it. */
	async #token(
		{ audience, expirationSeconds = defaultTokenS }: NonNullable<ProjectedSource['serviceAccountToken']>,
		pod: PodItem,
	): Promise<string> {
		const key = audience ?? '';
		const known = this.#tokens.get(key);
		if (known !== undefined && Date.now() < known.renewAtMs) return known.token;
		const { name, namespace, uid } = pod.metadata;
		const account = pod.spec.serviceAccountName ?? 'default';
		const { status } = await this.#kube.create<{ status: { token: string } }>(
			`/api/v1/namespaces/${namespace}/serviceaccounts/${account}/token`,
			{
				apiVersion: 'authentication.k8s.io/v1',
				kind: 'TokenRequest',
				spec: {
					...(audience === undefined ? {} : { audiences: [audience] }),
					expirationSeconds,
					boundObjectRef: { apiVersion: 'v1', kind: 'Pod', name, uid },
				},
			},
		);
		const renewAtMs = Date.now() + expirationSeconds * 1000 * renewedAfter;
		this.#tokens.set(key, { token: status.token, renewAtMs });
		return status.token;
	}
}

/** Of the runner's container, of projected volumes. */
function mounts(pod: PodItem): VolumeMount[] {
	const container = pod.spec.containers.find(({ name }) => name === runnerContainer);
	const projected = new Set(
		(pod.spec.volumes ?? []).filter((volume) => volume.projected).map(({ name }) => name),
	);
	return (container?.volumeMounts ?? []).filter(({ name }) => projected.has(name) && !ownAccess.test(name));
}

/** `metadata.annotations['key']`, `metadata.name` and the like; what is not there is empty. */
function fieldOf({ metadata }: PodItem, path: string): string {
	const [, field, key] = /^metadata\.(\w+)(?:\['(.+)'\])?$/.exec(path) ?? [];
	if (key !== undefined) {
		const map = field === 'labels' ? metadata.labels : metadata.annotations;
		return map?.[key] ?? '';
	}
	if (field === 'name' || field === 'namespace' || field === 'uid') return metadata[field] ?? '';
	throw new Error(`the simulated kubelet does not know the field ${path}`);
}
