import { names } from '../api/keys.ts';
import type { KubeObject } from '../api/kinds.ts';
import { collectionPath, objectPath, resources } from '../api/paths.ts';
import type { WebhookReport } from '../api/report.ts';
import { type Route, webhookRoutes } from '../api/webhooks.ts';
import { isConflict, isNotFound, isTestFailure, type KubeClient, patchType } from '../kube/client.ts';
import { Informer } from '../kube/informer.ts';
import { listObjects } from '../kube/objects.ts';
import type { Log } from '../telemetry/log.ts';
import type { Clock } from '../time/clock.ts';
import { encode } from './secret.ts';
import { parseCertificates, pemOf } from './x509.ts';

export interface WebhookConfiguration extends KubeObject {
	webhooks?: {
		name: string;
		failurePolicy?: string;
		clientConfig?: { caBundle?: string; service?: { name: string; namespace: string; path?: string } };
	}[];
}

const kinds = ['validating', 'mutating'] as const;
type Kind = (typeof kinds)[number];

const pathOf = (kind: Kind) => collectionPath(resources[`${kind}Webhooks`]);

/** The roles in manifests/ permit list and watch only for this name. */
const ours = { fieldSelector: `metadata.name=${names.server}` };

interface WebhookConfigurationsOptions {
	client: KubeClient;
	clock: Clock;
	onRestart: (watch: string, why: string) => void;
	log: Log;
}

/**
 * Our webhook configurations in the cluster, watched once for all who need them: whether the guard is called, which CAs are
 * trusted and since when. It also writes what the manifests do not contain: caBundle and path.
 */
export class WebhookConfigurations {
	readonly #options: WebhookConfigurationsOptions;
	readonly #informers: Record<Kind, Informer<WebhookConfiguration>>;
	/** Since when every webhook has contained a CA, ms since the epoch; by the CA's PEM. */
	readonly #trusted = new Map<string, number>();
	/** Since when it is known that there are no webhooks, ms since the epoch; undefined: there are some. */
	#emptySinceMs: number | undefined;
	#known = false;
	readonly #listeners: (() => void)[] = [];

	constructor(options: WebhookConfigurationsOptions) {
		this.#options = options;
		this.#informers = { validating: this.#informer('validating'), mutating: this.#informer('mutating') };
	}

	/** Calls back after either configuration has changed, and once after `read`, when both are known. */
	onChange(listener: () => void): void {
		this.#listeners.push(listener);
	}

	/** Whether both have been read. Until then no CA counts as trusted. */
	get known(): boolean {
		return this.#known;
	}

	/** Reads both once, so that a replica knows them at its first decision. @throws KubeError */
	async read(): Promise<void> {
		const lists = await Promise.all(
			kinds.map((kind) => listObjects<WebhookConfiguration>(this.#options.client, pathOf(kind), ours)),
		);
		for (const [index, kind] of kinds.entries())
			for (const configuration of lists[index] ?? []) this.#informers[kind].seed(configuration);
		this.#known = true;
		this.#changed();
	}

	/** Watches both until `signal` ends. */
	async run(signal: AbortSignal): Promise<void> {
		await Promise.all(kinds.map((kind) => this.#informers[kind].run(signal)));
	}

	/** Whether the configuration of this kind has been read, or is known not to exist. */
	isRead(kind: Kind): boolean {
		return this.#known || this.#informers[kind].synced;
	}

	/** All webhooks, with what the API server does when no replica answers. */
	get webhooks(): WebhookReport[] {
		return this.#configurations().flatMap(([kind, { webhooks = [] }]) =>
			webhooks.map(({ name, failurePolicy = 'Fail' }) => ({ kind, name, failurePolicy })),
		);
	}

	/** Since when every webhook contains this CA, ms since the epoch; undefined: not all do. If there are no webhooks, no caller depends on a CA, and each counts as trusted. */
	trustedSinceMs(authority: string): number | undefined {
		return this.#emptySinceMs ?? this.#trusted.get(authority);
	}

	/** The CAs in all caBundles, PEM. */
	get bundled(): string[] {
		return [...new Set(this.#webhooks().flatMap((webhook) => [...authoritiesOf(webhook)]))];
	}

	/** Host names for which the serving certificate must be valid. */
	get hosts(): string[] {
		const services = this.#webhooks().flatMap((webhook) => webhook.clientConfig?.service ?? []);
		return [...new Set(services.map(({ name, namespace }) => `${name}.${namespace}.svc`))];
	}

	/** The path of each webhook that is one of ours by its name; undefined: it has none. */
	get paths(): (string | undefined)[] {
		return this.#configurations().flatMap(([kind, { webhooks = [] }]) =>
			webhooks.flatMap((webhook) => {
				const service = routed(kind, webhook);
				return service ? [service.path] : [];
			}),
		);
	}

	/** Writes the CAs into every webhook that has others. If somebody else writes at the same time, the watch shows the change, and this is called again. */
	async inject(bundle: readonly string[]): Promise<void> {
		const caBundle = encode(bundle.join(''));
		await this.#write('caBundle set', (_kind, webhook) =>
			sameMembers(authoritiesOf(webhook), bundle) ? undefined : ['caBundle', caBundle],
		);
	}

	/** Writes the path into every webhook that has another one; for conflicts see `inject`. Returns whether there was one. */
	setPaths(pathOf: (route: Route) => string): Promise<boolean> {
		return this.#write('paths set', (kind, webhook) => {
			const service = routed(kind, webhook);
			if (!service) return undefined;
			const path = pathOf(service.route);
			return service.path === path ? undefined : ['service/path', path];
		});
	}

	/** Writes one field of the clientConfig of each webhook, where `change` gives another value. */
	async #write(
		done: string,
		change: (kind: Kind, webhook: Webhook) => [field: string, value: string] | undefined,
	): Promise<boolean> {
		const { client, log } = this.#options;
		let isTried = false;
		for (const [kind, configuration] of this.#configurations()) {
			const { name, resourceVersion } = configuration.metadata;
			const operations = (configuration.webhooks ?? []).flatMap((webhook, index) => {
				const [field, value] = change(kind, webhook) ?? [];
				return field ? [{ op: 'add', path: `/webhooks/${index}/clientConfig/${field}`, value }] : [];
			});
			if (operations.length === 0) continue;
			isTried = true;
			try {
				await client.request('PATCH', objectPath(resources[`${kind}Webhooks`], { name }), {
					body: [{ op: 'test', path: '/metadata/resourceVersion', value: resourceVersion }, ...operations],
					contentType: patchType.json,
				});
				log.info({ kind, configuration: name, webhooks: operations.length }, done);
			} catch (error) {
				if (!isConflicting(error)) throw error;
				log.debug(
					{ kind, error: String(error) },
					`not ${done}: the configuration was changed at the same time`,
				);
			}
		}
		return isTried;
	}

	#informer(kind: Kind): Informer<WebhookConfiguration> {
		const { client, onRestart, clock, log } = this.#options;
		return new Informer<WebhookConfiguration>({
			client,
			path: pathOf(kind),
			query: ours,
			trim: (configuration) => configuration,
			onChange: () => this.#changed(),
			onRestart: (why) => onRestart(pathOf(kind), why),
			clock,
			log,
		});
	}

	#configurations(): [Kind, WebhookConfiguration][] {
		return kinds.flatMap((kind) =>
			[...this.#informers[kind].values()].map((configuration): [Kind, WebhookConfiguration] => [
				kind,
				configuration,
			]),
		);
	}

	#webhooks() {
		return this.#configurations().flatMap(([, { webhooks = [] }]) => webhooks);
	}

	#changed(): void {
		this.#updateTrust();
		for (const listener of this.#listeners) listener();
	}

	#updateTrust(): void {
		if (!this.#known) return;
		const nowMs = this.#options.clock.now();
		const webhooks = this.#webhooks();
		this.#emptySinceMs = webhooks.length > 0 ? undefined : (this.#emptySinceMs ?? nowMs);
		const bundles = webhooks.map(authoritiesOf);
		const trusted = new Set(this.bundled.filter((one) => bundles.every((bundle) => bundle.has(one))));
		for (const one of this.#trusted.keys()) if (!trusted.has(one)) this.#trusted.delete(one);
		for (const one of trusted) if (!this.#trusted.has(one)) this.#trusted.set(one, nowMs);
	}
}

type Webhook = NonNullable<WebhookConfiguration['webhooks']>[number];

/** Where a webhook of ours leads; undefined where its name is not ours, or it has an address of its own (`url`). */
function routed(kind: Kind, { name, clientConfig }: Webhook) {
	const route = webhookRoutes[kind][name];
	return route && clientConfig?.service ? { route, path: clientConfig.service.path } : undefined;
}

/** Each version of a configuration is another object. Every pod with job hooks asks for them. */
const parsed = new WeakMap<Webhook, Set<string>>();

function authoritiesOf(webhook: Webhook): Set<string> {
	const known = parsed.get(webhook);
	if (known) return known;
	const pem = Buffer.from(webhook.clientConfig?.caBundle ?? '', 'base64').toString('utf8');
	const found = new Set(parseCertificates(pem).map(pemOf));
	parsed.set(webhook, found);
	return found;
}

const sameMembers = (some: Set<string>, others: readonly string[]) =>
	some.size === others.length && others.every((one) => some.has(one));

/** Whether the configuration was changed or deleted meanwhile. */
const isConflicting = (error: unknown) => isConflict(error) || isNotFound(error) || isTestFailure(error);
