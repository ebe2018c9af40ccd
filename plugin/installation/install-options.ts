import { creationPolicy } from './creation-policy.ts';
import { isWebhookConfiguration, keyOf, type Manifest } from './manifest.ts';
import type { Overlays } from './overlays.ts';
import {
	inNamespace,
	withExternal,
	withGithubSecret,
	withImage,
	withReplicas,
	withServerArgs,
} from './transforms.ts';

/** What runs: `default` in ARC's place, `guard-only` beside it. */
export const modes = ['default', 'guard-only'] as const;
export type Mode = (typeof modes)[number];

/** The server's --controllers in guard-only. */
export const guardControllers = 'deletion';

/** What the flags of `install` select. */
export interface Choice {
	mode: Mode;
	namespace: string;
	githubSecret: string;
	/** undefined: as in the manifests. */
	replicas?: number;
	image?: string;
	/** The server runs outside of the cluster. */
	external?: { host: string; port: number };
	/** cert-manager issues the serving certificate. */
	certManager: boolean;
}

/** The objects that these options select, in the order of the manifests; see `whereServed` for those that not every API server has. */
export function chosenObjects(overlays: Overlays, choice: Choice): Manifest[] {
	const { external, replicas, image } = choice;
	let objects = [...overlayOf(overlays, choice), ...(overlays[creationPolicy] ?? [])];
	objects = withGithubSecret(inNamespace(objects, choice.namespace), choice.githubSecret);
	if (external) objects = withExternal(objects, external);
	if (replicas !== undefined) objects = withReplicas(objects, replicas);
	if (image !== undefined) objects = withImage(objects, image);
	return objects;
}

function overlayOf(overlays: Overlays, { mode, external, certManager }: Choice): Manifest[] {
	const objects = (name: string) => {
		const found = overlays[name];
		if (!found) throw new Error(`this build does not contain manifests/overlays/${name}`);
		return found;
	};
	if (!external && !certManager) return [...objects(mode)];
	const chosen = objects(external ? 'local' : 'cert-manager');
	if (mode === 'default') return [...chosen];
	// These overlays are based on `default`; for `guard-only`, objects that it lacks are left out.
	const guardOnly = new Set(objects('guard-only').map(keyOf));
	const others = new Set(
		objects('default')
			.map(keyOf)
			.filter((key) => !guardOnly.has(key)),
	);
	const guard = onlyWebhooksOf(
		objects('guard-only'),
		chosen.filter((object) => !others.has(keyOf(object))),
	);
	return withServerArgs(guard, [`--controllers=${guardControllers}`]);
}

interface WebhookConfiguration extends Manifest {
	webhooks: { name: string }[];
}

/** The objects, without the webhooks that are not in `guardOnly`. */
function onlyWebhooksOf(guardOnly: readonly Manifest[], objects: readonly Manifest[]): Manifest[] {
	const webhooksOf = (object: Manifest) => (object as WebhookConfiguration).webhooks;
	const known = new Map(guardOnly.filter(isWebhookConfiguration).map((one) => [keyOf(one), webhooksOf(one)]));
	return objects.map((object) => {
		const wanted = known.get(keyOf(object))?.map(({ name }) => name);
		if (!wanted) return object;
		return { ...object, webhooks: webhooksOf(object).filter(({ name }) => wanted.includes(name)) };
	});
}
