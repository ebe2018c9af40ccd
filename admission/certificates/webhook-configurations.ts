import { names } from '../api/keys.ts';
import type { KubeObject } from '../api/kinds.ts';
import { collectionPath, objectPath, resources } from '../api/paths.ts';
import { isConflict, isNotFound, type KubeClient, KubeError, patchType } from '../kube/client.ts';
import type { Clock } from '../kube/clock.ts';
import { Informer } from '../kube/informer.ts';
import { listObjects } from '../kube/objects.ts';
import type { Log } from '../telemetry/log.ts';
import { encode } from './secret.ts';
import { parseCertificates, pemOf } from './x509.ts';

export interface WebhookConfiguration extends KubeObject {
	webhooks?: {
		name: string;
		clientConfig?: { caBundle?: string; service?: { name: string; namespace: string } };
	}[];
}

const kinds = ['validating', 'mutating'] as const;
type Kind = (typeof kinds)[number];

const pathOf = (kind: Kind) => collectionPath(resources[`${kind}Webhooks`]);

/** Without it the roles of manifests/ refuse a list and a watch. */
const ours = { fieldSelector: `metadata.name=${names.server}` };

export interface WebhookConfigurationsOptions {
	client: KubeClient;
	clock: Clock;
	/** Called after either configuration has changed. */
	onChange: () => void;
	onRestart: (watch: string, why: string) => void;
	log: Log;
}

/** Our webhook configurations as the API servers have them: whom they trust since when, and the way to change that. */
export class WebhookConfigurations {
	readonly #options: WebhookConfigurationsOptions;
	readonly #found = new Map<Kind, WebhookConfiguration>();
	/** CA, PEM -> since when every webhook has trusted it. */
	readonly #trusted = new Map<string, number>();
	/** Known to have no webhooks since then. */
	#emptySinceMs: number | undefined;
	#known = false;

	constructor(options: WebhookConfigurationsOptions) {
		this.#options = options;
	}

	/** Have they been read? Until then nobody is said to be trusted. */
	get known(): boolean {
		return this.#known;
	}

	/** Reads both once, so that the first decision of a replica knows them. @throws KubeError */
	async read(): Promise<void> {
		const lists = await Promise.all(
			kinds.map((kind) => listObjects<WebhookConfiguration>(this.#options.client, pathOf(kind), ours)),
		);
		for (const [index, kind] of kinds.entries()) this.#take(kind, lists[index]?.[0]);
		this.#known = true;
		this.#learn();
	}

	/** Follows both until `signal` ends. */
	async run(signal: AbortSignal): Promise<void> {
		const { client, onChange, onRestart, clock, log } = this.#options;
		const informers = kinds.map(
			(kind) =>
				new Informer<WebhookConfiguration>({
					client,
					path: pathOf(kind),
					query: ours,
					trim: (configuration) => configuration,
					onChange: (change, configuration) => {
						this.#take(kind, change === 'deleted' ? undefined : configuration);
						onChange();
					},
					onRestart: (why) => onRestart(pathOf(kind), why),
					clock,
					log,
				}),
		);
		await Promise.all(informers.map((informer) => informer.run(signal)));
	}

	/** Since when every webhook there is has trusted this CA; where there is none, nobody calls us who could not. */
	trustedSinceMs(authority: string): number | undefined {
		return this.#emptySinceMs ?? this.#trusted.get(authority);
	}

	/** The CAs of all bundles, PEM. */
	get bundled(): string[] {
		return [...new Set(this.#webhooks().flatMap((webhook) => [...authoritiesOf(webhook)]))];
	}

	/** Names that the API servers expect in the serving certificate. */
	get hosts(): string[] {
		const services = this.#webhooks().flatMap((webhook) => webhook.clientConfig?.service ?? []);
		return [...new Set(services.map(({ name, namespace }) => `${name}.${namespace}.svc`))];
	}

	/** Writes the bundle where it is not what is there. A lost race shows as a change, which comes back here. */
	async inject(bundle: readonly string[]): Promise<void> {
		const caBundle = encode(bundle.join(''));
		for (const [kind, configuration] of this.#found) {
			const { name, resourceVersion } = configuration.metadata;
			const operations = (configuration.webhooks ?? []).flatMap((webhook, index) =>
				sameMembers(authoritiesOf(webhook), bundle)
					? []
					: [{ op: 'add', path: `/webhooks/${index}/clientConfig/caBundle`, value: caBundle }],
			);
			if (operations.length === 0) continue;
			const { client, log } = this.#options;
			try {
				await client.request('PATCH', objectPath(resources[`${kind}Webhooks`], { name }), {
					body: [{ op: 'test', path: '/metadata/resourceVersion', value: resourceVersion }, ...operations],
					contentType: patchType.json,
				});
				log.info({ kind, configuration: name, authorities: bundle.length }, 'caBundle set');
			} catch (error) {
				if (!isLostRace(error)) throw error;
				log.debug({ kind, error: String(error) }, 'caBundle not set: the configuration has changed');
			}
		}
	}

	#webhooks() {
		return [...this.#found.values()].flatMap((configuration) => configuration.webhooks ?? []);
	}

	#take(kind: Kind, configuration: WebhookConfiguration | undefined): void {
		if (configuration) this.#found.set(kind, configuration);
		else this.#found.delete(kind);
		this.#learn();
	}

	#learn(): void {
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

function authoritiesOf(webhook: Webhook): Set<string> {
	const pem = Buffer.from(webhook.clientConfig?.caBundle ?? '', 'base64').toString('utf8');
	return new Set(parseCertificates(pem).map(pemOf));
}

const sameMembers = (some: Set<string>, others: readonly string[]) =>
	some.size === others.length && others.every((one) => some.has(one));

/** 422: the `test` of the resourceVersion failed. */
const isLostRace = (error: unknown) =>
	isConflict(error) || isNotFound(error) || (error instanceof KubeError && error.code === 422);
