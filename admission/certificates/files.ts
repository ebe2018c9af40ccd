import { X509Certificate } from 'node:crypto';
import { readFile } from 'node:fs/promises';
import { dirname, join } from 'node:path';
import type { Log } from '../telemetry/log.ts';
import type { Metrics } from '../telemetry/metrics.ts';
import type { Clock } from '../time/clock.ts';
import { fileCheckMs } from './policy.ts';
import type { CertificateSource } from './source.ts';
import { endsAtMs, type KeyPair, parseCertificates, parseKey, pemOf } from './x509.ts';

/**
 * The serving certificate from files that something else renews, such as cert-manager. A `ca.crt` in the same folder is
 * used only for the metric and the alert on the days left.
 *
 * @throws Error if the files can't be read, or don't hold a certificate and its key
 */
export async function followFiles(
	{ certFile, keyFile }: { certFile: string; keyFile: string },
	{ metrics, clock, log }: { metrics: Metrics; clock: Pick<Clock, 'sleep'>; log: Log },
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
			let complaint = { text: '', logged: false };
			while (!signal.aborted) {
				await clock.sleep(everyMs, signal);
				if (signal.aborted) return;
				try {
					const next = await readPair(certFile, keyFile);
					complaint = { text: '', logged: false };
					await measure(next);
					if (next.cert === current.cert && next.key === current.key) continue;
					current = next;
					use(next);
					log.info(
						{ file: certFile, until: new X509Certificate(next.cert).validTo },
						'serving certificate replaced',
					);
				} catch (error) {
					// The two files are not replaced at the same moment, so a mismatch may pass. One that stays is logged once.
					const text = String(error);
					const lasting = text === complaint.text;
					if (lasting && !complaint.logged)
						log.error(
							{ error: text },
							'the certificate files cannot be used: the certificate read before stays in use',
						);
					complaint = { text, logged: lasting };
				}
			}
		},
	};
}

async function readPair(certFile: string, keyFile: string): Promise<KeyPair> {
	// One after the other, so that the same file is named each time when both are missing.
	const cert = await readFile(certFile, 'utf8');
	const keyText = await readFile(keyFile, 'utf8');
	const [leaf] = parseCertificates(cert);
	const key = parseKey(keyText);
	if (!leaf) throw new Error(`${certFile} contains no certificate`);
	if (!key) throw new Error(`${keyFile} contains no private key`);
	if (!leaf.checkPrivateKey(key)) throw new Error(`${keyFile} is not the key of ${certFile}`);
	return { cert, key: keyText };
}

/**
 * The CA, as PEM, that must have signed the client certificate of callers of the admission port.
 *
 * @throws Error that names the flag, if the file can't be read or contains no certificate
 */
export async function readClientCa(file: string): Promise<string> {
	const text = await readFile(file, 'utf8').catch((error: Error) => {
		throw new Error(`--client-ca-file: ${error.message}`);
	});
	if (parseCertificates(text).length === 0)
		throw new Error(`--client-ca-file: ${file} contains no certificate`);
	return text;
}
