import type { Capability } from '../capability.ts';
import type { KubeClient } from '../kube/client.ts';
import type { Log } from '../telemetry/log.ts';
import type { Metrics } from '../telemetry/metrics.ts';
import type { Clock } from '../time/clock.ts';
import { Callers, type EpochSeal } from '../webhook/callers.ts';
import { CallerPaths } from './caller-paths.ts';
import { followFiles } from './files.ts';
import { manageCertificate } from './managed.ts';
import type { Lifetimes } from './policy.ts';
import type { CertificateSource } from './source.ts';
import { WebhookConfigurations } from './webhook-configurations.ts';
import type { KeyPair } from './x509.ts';

interface PrepareOptions {
	client: KubeClient;
	/** The server's own namespace. */
	namespace: string;
	/** Further host names for which the serving certificate must be valid. */
	hosts: readonly string[];
	/** Files with the serving certificate; undefined: the server issues its own. */
	files: { certFile: string; keyFile: string } | undefined;
	lifetimes: Lifetimes;
	/** Signs the paths of our webhooks. */
	seal: EpochSeal;
	clock: Clock;
	metrics: Metrics;
	log: Log;
}

/** By what the API server and this server know each other, as it was read or made at the start. */
export interface Prepared {
	callers: Callers;
	configurations: WebhookConfigurations;
	callerPaths: CallerPaths;
	certificate: CertificateSource;
}

/**
 * Reads what a replica must know before it can answer its first review.
 *
 * @throws Error, KubeError if there is no certificate to serve
 */
export async function prepareCertificates(options: PrepareOptions): Promise<Prepared> {
	const { files, seal, clock, metrics, log } = options;
	const configurations = new WebhookConfigurations({
		...options,
		onRestart: (watch, why) => metrics.watchRestarted(watch, why),
	});
	const callers = new Callers(seal, clock.now);
	const callerPaths = new CallerPaths({ callers, configurations, clock, metrics, log });
	await callerPaths.start();
	const certificate = files
		? await followFiles(files, { metrics, clock, log })
		: await manageCertificate({ ...options, configurations });
	return { callers, configurations, callerPaths, certificate };
}

/** Keeps the serving certificate, the CAs that the API server trusts, and the paths of our webhooks up to date. */
export function certificatesCapability(
	{ configurations, callerPaths, certificate }: Prepared,
	onCertificate: (pair: KeyPair) => void,
): Capability {
	return {
		loops: [
			(signal) => configurations.run(signal),
			(signal) => callerPaths.run(signal),
			(signal) => certificate.run(onCertificate, signal),
		],
	};
}
