import { names } from '../../admission/api/keys.ts';
import { isWebhookConfiguration, type Manifest } from './manifest.ts';

/**
 * What the flags of `install` change in the rendered manifests. Each takes the objects and returns new ones, and knows
 * only the part of the manifests that it changes.
 */

type Objects = readonly Manifest[];

interface Container {
	name: string;
	image?: string;
	args?: string[];
	env?: { name: string; value?: string }[];
}

interface Deployment extends Manifest {
	spec: { replicas?: number; template: { spec: { containers: Container[] } } };
}

interface WebhookConfiguration extends Manifest {
	webhooks: { clientConfig: { service: { port: number } } }[];
}

/** Container of the Deployment that runs the server. */
const serverContainer = 'server';

/** Moves the objects to another namespace: in every string that names it, also as a part ("NAME.NAMESPACE.svc"). */
export function inNamespace(objects: Objects, namespace: string): Manifest[] {
	if (namespace === names.namespace) return [...objects];
	return withEnvironment(renamed(objects, names.namespace, namespace), 'NAMESPACE', namespace);
}

/** GitHub credentials from a Secret of another name. */
export function withGithubSecret(objects: Objects, secret: string): Manifest[] {
	if (secret === names.credentialsSecret) return [...objects];
	return withEnvironment(renamed(objects, names.credentialsSecret, secret), 'GITHUB_SECRET', secret);
}

export function withReplicas(objects: Objects, replicas: number): Manifest[] {
	return objects.map((object) =>
		isServer(object) ? { ...object, spec: { ...object.spec, replicas } } : object,
	);
}

export function withImage(objects: Objects, image: string): Manifest[] {
	return withContainer(objects, (container) => ({ ...container, image }));
}

/** More arguments for the server. */
export function withServerArgs(objects: Objects, args: readonly string[]): Manifest[] {
	return withContainer(objects, (container) => ({
		...container,
		args: [...(container.args ?? []), ...args],
	}));
}

/** The Service points to HOST, and the webhooks to PORT there. */
export function withExternal(objects: Objects, { host, port }: { host: string; port: number }): Manifest[] {
	return objects.map((object) => {
		if (object.kind === 'Service' && object.metadata.name === names.server) {
			return { ...object, spec: { type: 'ExternalName', externalName: host } };
		}
		if (!isWebhookConfiguration(object)) return object;
		const { webhooks } = object as WebhookConfiguration;
		const toPort = webhooks.map((webhook) => ({
			...webhook,
			clientConfig: {
				...webhook.clientConfig,
				service: { ...webhook.clientConfig.service, port },
			},
		}));
		return { ...object, webhooks: toPort };
	});
}

/** The port of the server in the cluster. */
export function isServer(object: Manifest): object is Deployment {
	return object.kind === 'Deployment' && object.metadata.name === names.server;
}

function withEnvironment(objects: Objects, name: string, value: string): Manifest[] {
	return withContainer(objects, (container) => {
		const others = (container.env ?? []).filter((variable) => variable.name !== name);
		return { ...container, env: [...others, { name, value }] };
	});
}

function withContainer(objects: Objects, change: (container: Container) => Container): Manifest[] {
	return objects.map((object) => {
		if (!isServer(object)) return object;
		const { template } = object.spec;
		const containers = template.spec.containers.map((container) =>
			container.name === serverContainer ? change(container) : container,
		);
		const changed = { ...template, spec: { ...template.spec, containers } };
		return { ...object, spec: { ...object.spec, template: changed } };
	});
}

/** Replaces `from` in every string where it is a whole name, and not a part of a longer one. */
function renamed(objects: Objects, from: string, to: string): Manifest[] {
	const whole = new RegExp(`(?<![\\w-])${from}(?![\\w-])`, 'g');
	const rename = (value: unknown): unknown => {
		if (typeof value === 'string') return value.replace(whole, to);
		if (Array.isArray(value)) return value.map(rename);
		if (typeof value !== 'object' || value === null) return value;
		return Object.fromEntries(Object.entries(value).map(([key, item]) => [key, rename(item)]));
	};
	return objects.map((object) => rename(object) as Manifest);
}
