import { X509Certificate } from 'node:crypto';
import { names } from '../api/keys.ts';
import type { KubeObject } from '../api/kinds.ts';
import { collectionPath, objectPath, resources } from '../api/paths.ts';
import { isConflict, isNotFound, type KubeClient } from '../kube/client.ts';
import { Controller } from '../kube/controller.ts';
import { Informer } from '../kube/informer.ts';
import { createObject, getObject, replaceObject } from '../kube/objects.ts';
import type { Log } from '../telemetry/log.ts';
import type { Metrics } from '../telemetry/metrics.ts';
import type { Clock } from '../time/clock.ts';
import { carryOut } from './carry-out.ts';
import { type Change, planCertificates, type Served, type Why } from './plan.ts';
import { checkAtLeastEveryMs, type Lifetimes, propagationMs } from './policy.ts';
import { judgeSecret, secretKeys } from './secret.ts';
import type { CertificateSource } from './source.ts';
import type { WebhookConfigurations } from './webhook-configurations.ts';
import { endsAtMs, type KeyPair } from './x509.ts';

interface Secret extends KubeObject {
	type?: string;
	data?: Record<string, string>;
}

interface ManagedOptions {
	client: KubeClient;
	configurations: WebhookConfigurations;
	/** Namespace of the Secret and the Service. */
	namespace: string;
	/** Further host names for which it must be valid. */
	hosts?: readonly string[];
	lifetimes: Lifetimes;
	clock: Clock;
	metrics: Metrics;
	log: Log;
}

/** Other replicas may write the Secret at the same time, but each of them only once or twice. */
const mostTries = 20;

const messages: Record<Why, string> = {
	repaired: 'certificate Secret repaired',
	'served-ca-kept': 'certificate Secret: the CA of the certificate in use was missing and stays trusted',
	'ca-announced': 'new CA announced',
	'ca-replaced': 'CA replaced',
	renewed: 'serving certificate renewed',
};

/**
 * The serving certificate in the Secret that all replicas share. The first replica that finds a change due writes it; the
 * others read it. The CAs are written into the webhook configurations as caBundle.
 *
 * @throws KubeError if the Secret can't be read or written at the start
 */
export async function manageCertificate(options: ManagedOptions): Promise<CertificateSource> {
	const managed = new ManagedCertificate(options);
	await managed.start();
	return managed;
}

class ManagedCertificate implements CertificateSource {
	readonly #options: ManagedOptions;
	/** Path of the Secret. */
	readonly #path: string;
	/** Path of all Secrets in its namespace. */
	readonly #collectionPath: string;
	#served: Served | undefined;
	#onChange = () => {};
	#use: (pair: KeyPair) => void = () => {};

	constructor(options: ManagedOptions) {
		const { namespace, configurations } = options;
		this.#options = options;
		this.#path = objectPath(resources.secrets, { namespace, name: names.certificateSecret });
		this.#collectionPath = collectionPath(resources.secrets, namespace);
		configurations.onChange(() => this.#onChange());
	}

	get current(): KeyPair {
		if (!this.#served) throw new Error('the certificate has not been loaded yet: call start first');
		return this.#served;
	}

	start(): Promise<void> {
		return this.#reconcile().then(() => undefined);
	}

	async run(use: (pair: KeyPair) => void, signal: AbortSignal): Promise<void> {
		const { client, configurations, metrics, log, clock } = this.#options;
		const key = names.certificateSecret;
		this.#use = use;
		const controller = new Controller<string>(
			{
				name: 'certificates',
				field: 'secret',
				concurrency: 1,
				reconcile: async () => {
					if (!configurations.known) await configurations.read();
					const requeueAtMs = await this.#reconcile();
					return { afterMs: Math.min(requeueAtMs - clock.now(), checkAtLeastEveryMs) };
				},
				failure: 'the managed certificate could not be checked or renewed',
				warnsOnce: true,
			},
			this.#options,
		);
		this.#onChange = () => controller.enqueue(key);
		const secrets = new Informer<Secret>({
			client,
			path: this.#collectionPath,
			query: { fieldSelector: `metadata.name=${names.certificateSecret}` },
			trim: ({ metadata }) => ({ metadata }), // the data is read when it is needed, because a decision needs its newest state
			onChange: this.#onChange,
			onRestart: (why) => metrics.watchRestarted(this.#collectionPath, why),
			clock,
			log,
		});
		controller.enqueue(key);
		await secrets.run(signal);
		await controller.stop();
	}

	/** Brings the Secret, the configurations and the served certificate up to date. Returns when to check again, ms since the epoch. */
	async #reconcile(): Promise<number> {
		const { configurations, lifetimes, namespace, clock, metrics } = this.#options;
		for (let attempt = 0; attempt < mostTries; attempt++) {
			const secret = await getObject<Secret>(this.#options.client, this.#path);
			const nowMs = clock.now();
			const found = judgeSecret(secret?.data, this.#hosts(), nowMs);
			const view = {
				served: this.#served,
				trustedSinceMs: (authority: string) => configurations.trustedSinceMs(authority),
				bundled: configurations.bundled,
			};
			const plan = planCertificates(found, view, nowMs, propagationMs(lifetimes));
			if ('change' in plan) {
				await this.#write(secret, plan.change, nowMs);
				continue; // read again, because another replica may have written at the same moment
			}
			this.#serve(plan.serve);
			metrics.certificate('serving', endsAtMs(plan.serve.cert));
			metrics.certificate('ca', endsAtMs(plan.serve.authority.cert));
			await configurations.inject(plan.bundle);
			return plan.requeueAtMs;
		}
		throw new Error(
			`Secret ${namespace}/${names.certificateSecret} keeps changing: it could not be brought up to date in ${mostTries} tries`,
		);
	}

	#serve(next: Served): void {
		const before = this.#served;
		if (before?.cert === next.cert && before.authority.cert === next.authority.cert) return;
		this.#served = next;
		if (before?.cert === next.cert) return;
		const { validTo, issuer } = new X509Certificate(next.cert);
		this.#use(next);
		this.#options.log.info(
			{ until: validTo, issuer },
			before ? 'serving certificate replaced' : 'serving certificate loaded',
		);
	}

	/** Host names of the Service in the manifests, of the Services in the webhook configurations, and of the job hooks. */
	#hosts(): string[] {
		const { namespace, configurations, hosts = [] } = this.#options;
		return [...new Set([`${names.server}.${namespace}.svc`, ...configurations.hosts, ...hosts])];
	}

	/** Carries the change out and writes the Secret, unless somebody else has written it since it was read. */
	async #write(secret: Secret | undefined, change: Change, nowMs: number): Promise<void> {
		const { client, lifetimes, namespace, log } = this.#options;
		const hosts = [...this.#hosts(), 'localhost'];
		const kept = Object.entries(secret?.data ?? {}).filter(([key]) => !ours.has(key));
		const body = {
			apiVersion: 'v1',
			kind: 'Secret',
			type: secret?.type ?? 'kubernetes.io/tls', // the type of a Secret cannot be changed
			metadata: secret?.metadata ?? { name: names.certificateSecret, namespace },
			data: {
				...Object.fromEntries(kept),
				...(await carryOut(change, hosts, lifetimes, nowMs)),
			},
		};
		try {
			if (secret) await replaceObject(client, this.#path, body);
			else await createObject(client, this.#collectionPath, body);
		} catch (error) {
			if (isConflict(error) || (secret && isNotFound(error))) return; // another replica was first
			throw error;
		}
		const facts = { secret: names.certificateSecret, ...(change.fault ? { fault: change.fault } : {}) };
		if (!secret) log.info(facts, 'certificate Secret created');
		else log[change.why === 'repaired' ? 'warn' : 'info'](facts, messages[change.why]);
	}
}

const ours = new Set<string>(Object.values(secretKeys));
