import type { Kube } from '../sim/kube.ts';

interface KubeObject {
	apiVersion: string;
	kind: string;
	metadata: { namespace?: string };
}

interface Resource {
	name: string;
	kind: string;
	namespaced: boolean;
}

/** What `kubectl create` does, in order, without a process of its own for each call. */
export class Creator {
	readonly #kube: Kube;
	/** Resources by group and version. */
	readonly #known = new Map<string, Resource[]>();

	constructor(kube: Kube) {
		this.#kube = kube;
	}

	async create(objects: readonly object[]): Promise<void> {
		for (const object of objects)
			await this.#kube.create(
				`${await this.#pathOf(object as KubeObject)}?fieldValidation=Strict&fieldManager=kubectl-create`,
				object,
			);
	}

	async #pathOf({ apiVersion, kind, metadata }: KubeObject): Promise<string> {
		const root = apiVersion.includes('/') ? `/apis/${apiVersion}` : `/api/${apiVersion}`;
		const { name, namespaced } = (await this.#find(root, kind)) ?? {};
		if (!name) throw new Error(`the API server knows no ${kind} in ${apiVersion}`);
		return namespaced ? `${root}/namespaces/${metadata.namespace ?? 'default'}/${name}` : `${root}/${name}`;
	}

	/** Read again if it is not known: a definition may have been created since. */
	async #find(root: string, kind: string): Promise<Resource | undefined> {
		const isIt = (resource: Resource) => resource.kind === kind && !resource.name.includes('/');
		const known = this.#known.get(root)?.find(isIt);
		if (known) return known;
		const { resources } = await this.#kube.get<{ resources: Resource[] }>(root);
		this.#known.set(root, resources);
		return resources.find(isIt);
	}
}
