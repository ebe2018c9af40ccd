/**
 * Where a scale set's runner is registered, as the leader noted it on the pod when it first saw it running. It is written as
 * JSON with a signature over it and the pod's UID, so that nobody else can write one, or copy that of another pod.
 */
export interface Pin {
	/** As scopeKey writes it. */
	scope: string;
	host: string;
	credentialsSecret: string | undefined;
}

/** The text of the annotation. */
export const writePin = ({ scope, host, credentialsSecret }: Pin, signature: string): string =>
	JSON.stringify({ scope, host, ...(credentialsSecret ? { secret: credentialsSecret } : {}), signature });

/** None that this server has written is longer: its host stood in an address, its other names have at most 253 characters. */
const longestPin = 4_096;

/** A pin and its signature, which has not been checked yet. undefined for what is none. */
export function readPin(text: string | undefined): { pin: Pin; signature: string } | undefined {
	if (text === undefined || text.length > longestPin) return undefined; // of most pods: an exception for each costs more than all else that is read
	let value: unknown;
	try {
		value = JSON.parse(text);
	} catch {
		return undefined; // anybody may have written the annotation
	}
	const { scope, host, secret, signature } = (value ?? {}) as Record<string, unknown>;
	if (typeof scope !== 'string' || typeof host !== 'string' || typeof signature !== 'string')
		return undefined;
	if (secret !== undefined && typeof secret !== 'string') return undefined;
	return { pin: { scope, host, credentialsSecret: secret }, signature };
}
