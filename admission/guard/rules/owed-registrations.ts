import { pastMs } from '../../api/written-time.ts';
import { type Scope, scopeFromPath, scopeKey } from '../../runner/scope.ts';

/** A registration at GitHub that may have stayed after its runner's pod has gone. */
export interface OwedRegistration {
	/** Of the pod. */
	namespace: string;
	name: string;
	runnerName: string;
	/** undefined: it was never known. */
	runnerId: number | undefined;
	scope: Scope;
	credentialsSecret: string | undefined;
	ephemeral: boolean;
	/** When the pod was gone, ms since the epoch. */
	sinceMs: number;
}

/** A ConfigMap has room for 1 MiB; who creates and deletes many pods does not get all of it. */
const mostCharacters = 512 * 1024;

/** As text for the next leader: the newest, as many as there is room for. @param owed oldest first */
export function writtenOwed(owed: readonly OwedRegistration[]): string {
	const lines: string[] = [];
	let left = mostCharacters;
	for (const { scope, sinceMs, ...one } of owed.toReversed()) {
		const line = JSON.stringify({ ...one, scope: scopeKey(scope), since: new Date(sinceMs).toISOString() });
		left -= line.length + 1;
		if (left < 0) break;
		lines.push(line);
	}
	return lines.toReversed().join('\n');
}

/** What an earlier leader wrote; a line that is not whole is left out. */
export function readOwed(text: string, nowMs: number): OwedRegistration[] {
	if (text.length > mostCharacters) return [];
	return text.split('\n').flatMap((line) => readLine(line, nowMs) ?? []);
}

function readLine(line: string, nowMs: number): OwedRegistration | undefined {
	let value: unknown;
	try {
		value = JSON.parse(line);
	} catch {
		return undefined;
	}
	const { namespace, name, runnerName, runnerId, scope, credentialsSecret, ephemeral, since } = (value ??
		{}) as Record<string, unknown>;
	const [at, sinceMs] = [scopeFromPath(textOf(scope)), pastMs(since, nowMs)];
	if (![namespace, name, runnerName].every(textOf) || !at || sinceMs === undefined) return undefined;
	return {
		namespace: textOf(namespace),
		name: textOf(name),
		runnerName: textOf(runnerName),
		runnerId: Number.isSafeInteger(runnerId) ? (runnerId as number) : undefined,
		scope: at,
		credentialsSecret: textOf(credentialsSecret) || undefined,
		ephemeral: ephemeral === true,
		sinceMs,
	};
}

const textOf = (value: unknown): string => (typeof value === 'string' ? value : '');
