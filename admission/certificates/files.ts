import { X509Certificate } from 'node:crypto';
import { readFile } from 'node:fs/promises';
import { dirname, join } from 'node:path';
import { setTimeout as sleep } from 'node:timers/promises';
import type { Log } from '../telemetry/log.ts';
import type { Metrics } from '../telemetry/metrics.ts';
import { fileCheckMs } from './policy.ts';
import type { CertificateSource } from './source.ts';
import { endsAtMs, type KeyPair, parseCertificates, parseKey, pemOf } from './x509.ts';

/**
 * The serving certificate from files that somebody else renews: cert-manager, say. A `ca.crt` beside it is only measured,
 * for the alert on days left.
 *
 * @throws Error when the files can't be read, or hold no certificate with its key.
 */
export async function followFiles(
	{ certFile, keyFile }: { certFile: string; keyFile: string },
	metrics: Metrics,
	log: Log,
	everyMs = fileCheckMs,
): Promise<CertificateSource> {
	let current = await readPair(certFile, keyFile);
	await measure(current);

	async function measure(pair: KeyPair): Promise<void> {
		metrics.certificate('serving', endsAtMs(pair.cert));
		const authority = await readFile(join(dirname(certFile), 'ca.crt'), 'utf8').catch(() => '');
		const [first] = parseCertificates(authority).map(pemOf);
		if (first) metrics.certificate('ca', endsAtMs(first));
	}

	return {
		get current() {
			return current;
		},
		async run(use, signal) {
			let complaint = { text: '', told: false };
			while (!signal.aborted) {
				await sleep(everyMs, undefined, { signal }).catch(() => undefined);
				if (signal.aborted) return;
				try {
					const next = await readPair(certFile, keyFile);
					complaint = { text: '', told: false };
					await measure(next);
					if (next.cert === current.cert && next.key === current.key) continue;
					current = next;
					use(next);
					log.info(
						{ file: certFile, until: new X509Certificate(next.cert).validTo },
						'serving certificate replaced',
					);
				} catch (error) {
					// Two files are not replaced in one moment: what is wrong once is no news, what stays wrong is, once.
					const text = String(error);
					const lasting = text === complaint.text;
					if (lasting && !complaint.told)
						log.error({ error: text }, 'the certificate files can not be used: the old one stays');
					complaint = { text, told: lasting };
				}
			}
		},
	};
}

async function readPair(certFile: string, keyFile: string): Promise<KeyPair> {
	const [cert, keyText] = await Promise.all([readFile(certFile, 'utf8'), readFile(keyFile, 'utf8')]);
	const [leaf] = parseCertificates(cert);
	const key = parseKey(keyText);
	if (!leaf) throw new Error(`${certFile} holds no certificate`);
	if (!key) throw new Error(`${keyFile} holds no private key`);
	if (!leaf.checkPrivateKey(key)) throw new Error(`${keyFile} is not the key of ${certFile}`);
	return { cert, key: keyText };
}

/**
 * The CA that callers of the admission port must have a certificate of.
 *
 * @throws Error that names the flag.
 */
export async function readClientCa(file: string): Promise<string> {
	const text = await readFile(file, 'utf8').catch((error: Error) => {
		throw new Error(`--client-ca-file: ${error.message}`);
	});
	if (parseCertificates(text).length === 0) throw new Error(`--client-ca-file: ${file} holds no certificate`);
	return text;
}
