import { type Prepared, prepareCertificates } from '../certificates/capability.ts';
import { readClientCa } from '../certificates/files.ts';
import { epochSeal } from '../cluster/epoch-seal.ts';
import { loadSigner, type Signer } from '../cluster/signer.ts';
import type { Settings } from '../flags.ts';
import type { Edges } from './edges.ts';

/** What has been read from the cluster and from files before the parts are made. */
export interface Bootstrapped extends Prepared {
	/** The server's own user name at the API server. */
	user: string;
	signer: Signer;
	/** The CA of callers of the admission port, PEM; undefined: a caller needs no certificate. */
	clientCa: string | undefined;
}

/** @throws Error, KubeError if something is missing without which no review can be answered */
export async function bootstrap(settings: Settings, edges: Edges, user: string): Promise<Bootstrapped> {
	const { namespace, tls, lifetimes, clientCaFile, jobsUrl } = settings;
	const { client, clock, newKey, metrics, log } = edges;
	const signer = await loadSigner(client, namespace, newKey);
	const clientCa = clientCaFile === undefined ? undefined : await readClientCa(clientCaFile);
	const prepared = await prepareCertificates({
		client,
		namespace,
		lifetimes,
		clock,
		metrics,
		log,
		hosts: [new URL(jobsUrl).hostname],
		files: tls,
		seal: epochSeal(signer),
	});
	return { ...prepared, user, signer, clientCa };
}
