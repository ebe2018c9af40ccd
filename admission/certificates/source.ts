import type { KeyPair } from './x509.ts';

/** Where the serving certificate comes from: its own Secret, or files. */
export interface CertificateSource {
	/** What to serve from the start. */
	readonly current: KeyPair;
	/** PlanExecutor each successor to `use`, until `signal` ends. Failures are logged; what is served then stays. */
	run(use: (pair: KeyPair) => void, signal: AbortSignal): Promise<void>;
}
