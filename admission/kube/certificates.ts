import { X509Certificate } from 'node:crypto';
import { generate } from 'selfsigned';
import { names } from '../api/keys.ts';
import type { KubeObject } from '../api/kinds.ts';
import type { Log } from '../log.ts';
import { isConflict, isNotFound, type KubeClient, patchType } from './client.ts';
import { Informer } from './informer.ts';

export interface ServingCertificate {
	ca: string;
	cert: string;
	key: string;
}

interface Secret extends KubeObject {
	data?: Record<string, string>;
}

const day = 24 * 60 * 60 * 1000;
const caDays = 3650;
const servingDays = 365;
/** Renewed this long before it expires, by whichever replica looks first. */
const renewBeforeDays = 30;

/**
 * The serving certificate of the Service, from a Secret that the first replica writes. A renewal keeps the CA, so
 * that the caBundle stays right while replicas change over.
 *
 * @throws KubeError when the Secret can neither be read nor written.
 */
export async function ensureCertificate(
	client: KubeClient,
	namespace: string,
	nowMs: number,
): Promise<ServingCertificate> {
	const path = `/api/v1/namespaces/${namespace}/secrets`;
	for (let attempt = 0; attempt < 5; attempt++) {
		const secret = await readSecret(client, `${path}/${names.certificateSecret}`);
		const held = secret && decode(secret);
		if (held && daysLeft(held.cert, nowMs) > renewBeforeDays) return held;

		const ca = held && daysLeft(held.ca, nowMs) > servingDays ? held : await issueCa(nowMs);
		const issued = { ...(await issueServing(ca, namespace, nowMs)), ca: ca.ca, caKey: ca.caKey };
		const body = {
			apiVersion: 'v1',
			kind: 'Secret',
			type: 'kubernetes.io/tls',
			metadata: secret?.metadata ?? { name: names.certificateSecret, namespace },
			data: {
				'ca.crt': encode(issued.ca),
				'ca.key': encode(issued.caKey),
				'tls.crt': encode(issued.cert),
				'tls.key': encode(issued.key),
			},
		};
		try {
			if (secret) await client.request('PUT', `${path}/${names.certificateSecret}`, { body });
			else await client.request('POST', path, { body });
			return issued;
		} catch (error) {
			if (!isConflict(error)) throw error; // another replica was first: read what it wrote
		}
	}
	throw new Error(`Secret ${namespace}/${names.certificateSecret} keeps changing`);
}

/** ms since 1970. */
export function endsAtMs(certificate: string): number {
	return Date.parse(new X509Certificate(certificate).validTo);
}

export function daysLeft(certificate: string, nowMs: number): number {
	return (endsAtMs(certificate) - nowMs) / day;
}

/** Keeps the caBundle of the webhook configurations right, from now on and whenever they are applied anew. */
export function caBundleInformer(
	client: KubeClient,
	kind: 'validating' | 'mutating',
	ca: () => string,
	log: Log,
): Informer<WebhookConfiguration> {
	const path = `/apis/admissionregistration.k8s.io/v1/${kind}webhookconfigurations`;

	async function inject(configuration: WebhookConfiguration): Promise<void> {
		const caBundle = encode(ca());
		const operations = (configuration.webhooks ?? []).flatMap((webhook, index) =>
			webhook.clientConfig?.caBundle === caBundle
				? []
				: [{ op: 'add', path: `/webhooks/${index}/clientConfig/caBundle`, value: caBundle }],
		);
		if (operations.length === 0) return;
		await client.request('PATCH', `${path}/${configuration.metadata.name}`, {
			body: [
				{ op: 'test', path: '/metadata/resourceVersion', value: configuration.metadata.resourceVersion },
				...operations,
			],
			contentType: patchType.json,
		});
		log.info({ kind, configuration: configuration.metadata.name }, 'caBundle set');
	}

	return new Informer<WebhookConfiguration>({
		client,
		path,
		query: { fieldSelector: `metadata.name=${names.server}` },
		trim: (configuration) => configuration,
		onChange(change, configuration) {
			if (change === 'deleted') return;
			// A lost race shows as a change of its own, which comes back here.
			inject(configuration).catch((error: unknown) => log.warn({ error: String(error) }, 'caBundle not set'));
		},
		log,
	});
}

export interface WebhookConfiguration extends KubeObject {
	webhooks?: { name: string; clientConfig?: { caBundle?: string } }[];
}

async function readSecret(client: KubeClient, path: string): Promise<Secret | undefined> {
	try {
		return await client.request<Secret>('GET', path);
	} catch (error) {
		if (isNotFound(error)) return undefined;
		throw error;
	}
}

function decode(secret: Secret): (ServingCertificate & { caKey: string }) | undefined {
	const value = (key: string) => Buffer.from(secret.data?.[key] ?? '', 'base64').toString('utf8');
	const held = { ca: value('ca.crt'), caKey: value('ca.key'), cert: value('tls.crt'), key: value('tls.key') };
	return held.ca && held.caKey && held.cert && held.key ? held : undefined;
}

const encode = (text: string) => Buffer.from(text, 'utf8').toString('base64');

async function issueCa(nowMs: number): Promise<{ ca: string; caKey: string }> {
	const pems = await generate([{ name: 'commonName', value: 'runners-admission CA' }], {
		keyType: 'ec',
		curve: 'P-256',
		algorithm: 'sha256',
		notBeforeDate: new Date(nowMs - 5 * 60_000), // the API server's clock may be a little behind ours
		notAfterDate: new Date(nowMs + caDays * day),
		extensions: [
			{ name: 'basicConstraints', cA: true, critical: true },
			{ name: 'keyUsage', keyCertSign: true, cRLSign: true, critical: true },
		],
	});
	return { ca: pems.cert, caKey: pems.private };
}

async function issueServing(
	ca: { ca: string; caKey: string },
	namespace: string,
	nowMs: number,
): Promise<{ cert: string; key: string }> {
	const host = `${names.server}.${namespace}.svc`;
	const pems = await generate([{ name: 'commonName', value: host }], {
		keyType: 'ec',
		curve: 'P-256',
		algorithm: 'sha256',
		notBeforeDate: new Date(nowMs - 5 * 60_000),
		notAfterDate: new Date(nowMs + servingDays * day),
		ca: { key: ca.caKey, cert: ca.ca },
		extensions: [
			{ name: 'basicConstraints', cA: false, critical: true },
			{ name: 'keyUsage', digitalSignature: true, critical: true },
			{ name: 'extKeyUsage', serverAuth: true },
			{
				name: 'subjectAltName',
				altNames: [host, `${host}.cluster.local`, `${names.server}.${namespace}`, 'localhost'].map(
					(value) => ({
						type: 2 as const,
						value,
					}),
				),
			},
		],
	});
	return { cert: pems.cert, key: pems.private };
}
