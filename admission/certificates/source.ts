import type { KeyPair } from './x509.ts';

/** Where the serving certificate comes from: a Secret that the server manages, or files. */
export interface CertificateSource {
	/** What to serve from the start. */
	readonly current: KeyPair;
	/** Passes each new certificate to `use`, until `signal` ends. Failures are logged, and the served one stays. */
	run(use: (pair: KeyPair) => void, signal: AbortSignal): Promise<void>;
}
